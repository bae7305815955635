import { money, type Scaled } from "@veritick/client";
import type { Ref } from "vue";
import { moneyText } from "@veritick/ui/number";
import type { Obstacle } from "@/domain/orderForm";
import { durationText, longMomentText, soonText } from "@veritick/ui/time";
import { useTexts } from "@/messages";
import { useConnection } from "@/stores/connection";

/** Says in words why an order cannot be sent now. */
export function useObstacleText(
  currencyCode: Readonly<Ref<string>>,
): (obstacle: Obstacle) => string {
  const { t, locale } = useTexts();
  const connection = useConnection();

  const amount = (limit: Scaled): string =>
    moneyText(money(limit, currencyCode.value), locale.value);
  const moment = (time: string): string => soonText(time, connection.now, locale.value);

  return (obstacle) => {
    switch (obstacle.kind) {
      case "marketClosed":
        return obstacle.nextOpenTime === undefined
          ? t("obstacle.marketClosedUnknown")
          : t("obstacle.marketClosed", { time: moment(obstacle.nextOpenTime) });
      case "stakeTooSmall":
      case "stakeTooLarge":
      case "funds":
        return t(`obstacle.${obstacle.kind}`, { limit: amount(obstacle.limit) });
      case "durationOutOfRange":
        return t("obstacle.durationOutOfRange", {
          min: durationText(obstacle.min, locale.value),
          max: durationText(obstacle.max, locale.value),
        });
      case "inBreak":
      case "excluded":
        return t(`obstacle.${obstacle.kind}`, {
          time: longMomentText(obstacle.until, locale.value),
        });
      case "expiresAfterClose":
        return t("obstacle.expiresAfterClose", { time: moment(obstacle.closeTime) });
      case "accountFrozen":
      case "closeOnly":
      case "disconnected":
      case "feedStale":
      case "halted":
      case "loading":
      case "noClockExpiry":
      case "stakeMissing":
        return t(`obstacle.${obstacle.kind}`);
    }
  };
}
