import type { Order, Outcome } from "@veritick/client";
import type { NoticeTone } from "@veritick/ui";
import { onScopeDispose, watch } from "vue";
import { closedUntilOpen, openings, payoutChanges, type Happening } from "@/domain/notification";
import { useConnection } from "@/stores/connection";
import { useMarket } from "@/stores/market";
import { useNotices } from "@/stores/notices";
import { useNotifications } from "@/stores/notifications";
import { useOrders } from "@/stores/orders";
import { usePreferences } from "@/stores/preferences";
import { remembered } from "@/stores/remembered";
import { useSession } from "@/stores/session";
import { useHappeningText } from "./useHappeningText";

const TONES: Record<Outcome, NoticeTone> = {
  OUTCOME_UNSPECIFIED: "neutral",
  WIN: "good",
  LOSS: "bad",
  DRAW: "neutral",
  VOID: "neutral",
};

/** Tells what happens: at once in a corner, and for later among the notifications. */
export function useHappenings(): void {
  const orders = useOrders();
  const market = useMarket();
  const notices = useNotices();
  const connection = useConnection();
  const notifications = useNotifications();
  const preferences = usePreferences();
  const textOf = useHappeningText();
  /** Up to when each account's closings have been heard of. */
  const heard = remembered<Readonly<Record<string, number>>>("heard", {});

  notifications.belongTo(useSession().user?.userId ?? "");

  function tell(happening: Happening, time: number): void {
    if (!notifications.add(happening, time)) return;
    const tone = happening.kind === "closed" ? toneOf(happening.order) : "neutral";
    notices.tell(tone, ...textOf(happening));
  }

  onScopeDispose(
    orders.onClose((order) => {
      tell({ kind: "closed", order }, Date.parse(order.closeTime ?? ""));
    }),
  );

  /** What closed while nobody looked is not called out, but there to be read. */
  watch(
    () => orders.closed,
    ([newest, ...others]) => {
      if (newest === undefined) return;
      const { [newest.accountId]: until = connection.now } = heard.value;
      for (const order of [newest, ...others]) {
        const time = Date.parse(order.closeTime ?? "");
        if (time > until) notifications.add({ kind: "closed", order }, time);
      }
      const last = Math.max(until, Date.parse(newest.closeTime ?? ""));
      heard.value = { ...heard.value, [newest.accountId]: last };
    },
  );

  watch(
    () => new Map([...market.terms].map(([symbol, { payoutBp }]) => [symbol, payoutBp])),
    (_, before) => {
      for (const change of payoutChanges(before, market.terms, preferences.favourites)) {
        tell(change, connection.now);
      }
    },
  );
  let closed: ReadonlySet<string> = new Set();
  watch(
    () => market.instruments,
    (instruments) => {
      const mine = [...preferences.favourites, preferences.symbol];
      for (const opening of openings(closed, instruments, mine)) tell(opening, connection.now);
      closed = closedUntilOpen(closed, instruments);
    },
    { immediate: true },
  );
}

function toneOf({ outcome = "OUTCOME_UNSPECIFIED" }: Order): NoticeTone {
  return TONES[outcome];
}
