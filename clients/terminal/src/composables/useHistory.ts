import type { Download, Order } from "@veritick/client";
import { usePages, type Pages } from "@veritick/ui";
import { computed, onScopeDispose, ref, type ComputedRef, type Ref } from "vue";
import { usePlatform } from "@/platform";
import { useOrders } from "@/stores/orders";
import { useRecordScope, type RecordScope } from "./useRecordScope";

const PAGE = 50;

export type OutcomeFilter = "" | "WIN" | "LOSS" | "DRAW" | "VOID";

export interface History {
  readonly scope: RecordScope;
  /** Empty for any. */
  readonly outcome: Ref<OutcomeFilter>;
  readonly instrument: Ref<string>;
  readonly narrowed: ComputedRef<boolean>;
  readonly pages: Pages<Order>;
  /** All that is listed, as a file. */
  readonly download: () => Promise<Download>;
}

/** The closed orders of an account, newest first, page by page; new ones come on top. */
export function useHistory(): History {
  const { client } = usePlatform();
  const live = useOrders();
  const scope = useRecordScope();
  const { accountId, moments } = scope;
  const outcome = ref<OutcomeFilter>("");
  const instrument = ref("");
  const filter = computed(() => filterText(outcome.value, instrument.value));

  const pages = usePages<Order>([filter, moments, accountId], async (pageToken) => {
    if (accountId.value === "") return { items: [], nextPageToken: "" };
    const asked = { filter: filter.value, ...moments.value, pageSize: PAGE, pageToken };
    const page = await client.listOrders(accountId.value, asked);
    return { items: page.orders, nextPageToken: page.nextPageToken };
  });

  function isWanted(order: Order): boolean {
    const { start = "", end = "9" } = moments.value;
    return (
      order.accountId === accountId.value &&
      (outcome.value === "" || outcome.value === order.outcome) &&
      (instrument.value === "" || instrument.value === order.instrument) &&
      start <= order.openTime &&
      order.openTime < end
    );
  }

  onScopeDispose(
    live.onClose((order) => {
      const shown = pages.items.value.some(({ orderId }) => orderId === order.orderId);
      if (isWanted(order) && !shown) pages.items.value = [order, ...pages.items.value];
    }),
  );
  return {
    scope,
    outcome,
    instrument,
    narrowed: computed(
      () => outcome.value !== "" || instrument.value !== "" || scope.narrowed.value,
    ),
    pages,
    download: () =>
      client.exportOrders(accountId.value, { filter: filter.value, ...moments.value }),
  };
}

function filterText(outcome: OutcomeFilter, instrument: string): string {
  const conditions = ["state=CLOSED"];
  if (outcome !== "") conditions.push(`outcome=${outcome}`);
  if (instrument !== "") conditions.push(`instrument=${instrument}`);
  return conditions.join(" AND ");
}
