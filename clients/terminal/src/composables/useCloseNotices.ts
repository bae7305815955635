import { money, type Order, type Outcome } from "@veritick/client";
import { onScopeDispose } from "vue";
import { moneyText } from "@/domain/number";
import { profit } from "@/domain/position";
import { useTexts } from "@/messages";
import { useMarket } from "@/stores/market";
import { useNotices, type NoticeTone } from "@/stores/notices";
import { useOrders } from "@/stores/orders";

const TONES: Record<Outcome, NoticeTone> = {
  OUTCOME_UNSPECIFIED: "neutral",
  WIN: "good",
  LOSS: "bad",
  DRAW: "neutral",
  VOID: "neutral",
};

/** Tells the outcome of each order when it closes. */
export function useCloseNotices(): void {
  const orders = useOrders();
  const market = useMarket();
  const notices = useNotices();
  const { t, locale } = useTexts();

  onScopeDispose(
    orders.onClose((order: Order) => {
      const { outcome = "OUTCOME_UNSPECIFIED", stake, returned } = order;
      const instrument = market.find(order.instrument)?.displayName ?? order.instrument;
      const gained = money(profit(order) ?? 0n, stake.currencyCode);
      notices.tell(
        TONES[outcome],
        t(`closed.${outcome}`, { instrument }),
        t(`closed.${outcome}Text`, {
          stake: moneyText(stake, locale.value),
          profit: moneyText(gained, locale.value, true),
          returned: returned === undefined ? "" : moneyText(returned, locale.value),
        }),
      );
    }),
  );
}
