import type { Order } from "@veritick/client";
import { ref, type Ref } from "vue";
import { moneyText, priceText } from "@veritick/ui/number";
import { useTexts } from "@/messages";
import { useMarket } from "@/stores/market";
import { useNotices } from "@/stores/notices";
import { useFailureText } from "./useFailureText";
import type { Purchased } from "./usePurchase";

export interface PurchaseNotices {
  /** What was bought last, for those who do not see it in the chart and the positions. */
  readonly said: Readonly<Ref<string>>;
  readonly tell: (purchased: Purchased) => void;
}

/** Says what became of a purchase. */
export function usePurchaseNotices(): PurchaseNotices {
  const market = useMarket();
  const notices = useNotices();
  const failureText = useFailureText();
  const { t, locale } = useTexts();
  const said = ref("");

  const orderText = (order: Order): string =>
    t("order.placed", {
      direction: t(`direction.${order.direction}`),
      instrument: market.find(order.instrument)?.displayName ?? order.instrument,
      stake: moneyText(order.stake, locale.value),
      price: priceText(order.entryTick.price, locale.value),
    });

  function tell(purchased: Purchased): void {
    switch (purchased.kind) {
      case "bought":
        said.value = orderText(purchased.order);
        return;
      case "late":
        notices.tell("good", t("order.late"), orderText(purchased.order));
        return;
      case "unknown":
        notices.tell("bad", t("order.unknown"), t("order.unknownText"));
        return;
      case "refused":
        notices.tell("bad", t("order.refused"), failureText(purchased.failure));
    }
  }

  return { said, tell };
}
