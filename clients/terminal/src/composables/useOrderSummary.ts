import { computed, type ComputedRef } from "vue";
import { moneyText } from "@veritick/ui/number";
import { durationText, minuteText } from "@veritick/ui/time";
import { useTexts } from "@/messages";
import { useExpiry } from "@/stores/expiry";
import { useMarket } from "@/stores/market";
import type { OrderForm } from "./useOrderForm";

/** What would be bought, in a line. */
export function useOrderSummary(form: OrderForm): ComputedRef<string> {
  const market = useMarket();
  const store = useExpiry();
  const { t, locale } = useTexts();

  const end = computed(() => {
    if (store.expiry === undefined) return "";
    return "clockTime" in store.expiry
      ? minuteText(store.expiry.clockTime, locale.value)
      : durationText(store.expiry.durationSeconds, locale.value);
  });

  return computed(() =>
    t("order.confirmText", {
      instrument: market.instrument?.displayName ?? "",
      stake: `${form.stakeText.value} ${form.currencyCode.value}`,
      duration: end.value,
      profit: form.profit.value ? moneyText(form.profit.value, locale.value, true) : "",
    }),
  );
}
