import { Failure, type Order } from "@veritick/client";
import { onScopeDispose, ref, shallowRef, watch, type Ref } from "vue";
import { usePlatform } from "@/platform";
import { useAccounts } from "@/stores/accounts";
import { useOrders } from "@/stores/orders";

const PAGE = 50;

export type OutcomeFilter = "" | "WIN" | "LOSS" | "DRAW" | "VOID";

export interface History {
  readonly orders: Readonly<Ref<readonly Order[]>>;
  readonly loading: Readonly<Ref<boolean>>;
  readonly failure: Readonly<Ref<Failure | undefined>>;
  readonly more: Readonly<Ref<boolean>>;
  readonly next: () => Promise<void>;
}

/** All closed orders of the current account, newest first, page by page; new ones come on top. */
export function useHistory(outcome: Readonly<Ref<OutcomeFilter>>): History {
  const { client } = usePlatform();
  const accounts = useAccounts();
  const live = useOrders();
  const orders = shallowRef<readonly Order[]>([]);
  const loading = ref(false);
  const failure = shallowRef<Failure>();
  const more = ref(false);
  let pageToken = "";
  let round = 0;

  async function next(): Promise<void> {
    const accountId = accounts.account?.accountId;
    if (accountId === undefined) return;
    const asked = round;
    loading.value = true;
    failure.value = undefined;
    try {
      const page = await client.listOrders(accountId, {
        filter: filterText(outcome.value),
        pageSize: PAGE,
        pageToken: pageToken === "" ? undefined : pageToken,
      });
      if (asked !== round) return;
      orders.value = [...orders.value, ...page.orders];
      pageToken = page.nextPageToken;
      more.value = pageToken !== "";
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (asked === round) failure.value = error;
    } finally {
      if (asked === round) loading.value = false;
    }
  }

  function restart(): void {
    round += 1;
    orders.value = [];
    pageToken = "";
    more.value = false;
    void next();
  }

  onScopeDispose(
    live.onClose((order) => {
      const shown = orders.value.some(({ orderId }) => orderId === order.orderId);
      const wanted = outcome.value === "" || outcome.value === order.outcome;
      if (wanted && !shown) orders.value = [order, ...orders.value];
    }),
  );
  watch([outcome, () => accounts.account?.accountId], restart, { immediate: true });
  return { orders, loading, failure, more, next };
}

function filterText(outcome: OutcomeFilter): string {
  return outcome === "" ? "state=CLOSED" : `state=CLOSED AND outcome=${outcome}`;
}
