import type { Order } from "@veritick/client";
import { onScopeDispose, type Ref } from "vue";
import { usePlatform } from "@/platform";
import { useAccounts } from "@/stores/accounts";
import { useOrders } from "@/stores/orders";
import { usePages, type Pages } from "./usePages";

const PAGE = 50;

export type OutcomeFilter = "" | "WIN" | "LOSS" | "DRAW" | "VOID";

/** Which orders; an empty text is any. */
export interface HistoryFilter {
  readonly outcome: Readonly<Ref<OutcomeFilter>>;
  readonly instrument: Readonly<Ref<string>>;
}

/** The closed orders of the current account, newest first, page by page; new ones come on top. */
export function useHistory({ outcome, instrument }: HistoryFilter): Pages<Order> {
  const { client } = usePlatform();
  const accounts = useAccounts();
  const live = useOrders();
  const accountId = (): string | undefined => accounts.account?.accountId;

  const pages = usePages<Order>([outcome, instrument, accountId], async (pageToken) => {
    const account = accountId();
    if (account === undefined) return { items: [], nextPageToken: "" };
    const filter = filterText(outcome.value, instrument.value);
    const page = await client.listOrders(account, { filter, pageSize: PAGE, pageToken });
    return { items: page.orders, nextPageToken: page.nextPageToken };
  });

  onScopeDispose(
    live.onClose((order) => {
      const shown = pages.items.value.some(({ orderId }) => orderId === order.orderId);
      const wanted =
        (outcome.value === "" || outcome.value === order.outcome) &&
        (instrument.value === "" || instrument.value === order.instrument);
      if (wanted && !shown) pages.items.value = [order, ...pages.items.value];
    }),
  );
  return pages;
}

function filterText(outcome: OutcomeFilter, instrument: string): string {
  const conditions = ["state=CLOSED"];
  if (outcome !== "") conditions.push(`outcome=${outcome}`);
  if (instrument !== "") conditions.push(`instrument=${instrument}`);
  return conditions.join(" AND ");
}
