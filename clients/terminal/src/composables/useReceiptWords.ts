import { mantissa, type Receipt } from "@veritick/client";
import { priceText } from "@veritick/ui/number";
import { clockText } from "@veritick/ui/time";
import { useTexts } from "@/messages";

/** The rule, the fixing and the conclusion of a receipt, one sentence each. */
export function useReceiptWords(): (receipt: Receipt) => string[] {
  const { t, locale } = useTexts();

  function conclusion(receipt: Receipt): string {
    const { tick } = receipt.fixing;
    if (receipt.outcome === "VOID" || tick === undefined) {
      return t("receipt.void", { reason: t(`voidReason.${receipt.fixing.voidReason}`) });
    }
    const prices = {
      close: priceText(tick.price, locale.value),
      entry: priceText(receipt.entryTick.price, locale.value),
    };
    const [close, entry] = [mantissa(tick.price), mantissa(receipt.entryTick.price)];
    if (close === entry) return t("receipt.equal", prices);
    const key = close > entry ? "above" : "below";
    return t(`receipt.${key}${receipt.outcome === "WIN" ? "" : "Lost"}`, prices);
  }

  return (receipt) => {
    const rule = t(receipt.direction === "UP" ? "receipt.ruleUp" : "receipt.ruleDown");
    const { tick } = receipt.fixing;
    if (tick === undefined) return [rule, conclusion(receipt)];
    const fixing = t("receipt.fixing", {
      time: clockText(receipt.expireTime, locale.value),
      price: priceText(tick.price, locale.value),
    });
    return [rule, fixing, conclusion(receipt)];
  };
}
