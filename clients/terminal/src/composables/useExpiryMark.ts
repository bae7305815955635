import { computed, type ComputedRef } from "vue";
import type { Expiry } from "@/chart/expiryMark";
import { countdownText } from "@/domain/time";
import { useMarket } from "@/stores/market";
import { useOrderForm } from "./useOrderForm";
import { useConnection } from "@/stores/connection";

/** When the order being prepared would expire, while it could be bought at all. */
export function useExpiryMark(): ComputedRef<Expiry | undefined> {
  const { expireTime } = useOrderForm();
  const connection = useConnection();
  const market = useMarket();
  return computed(() => {
    if (market.fresh === "closed" || market.quote === undefined) return undefined;
    // Of the second that has begun, nothing more is promised.
    const left = Math.floor((expireTime.value - connection.now) / 1000) * 1000;
    const label = countdownText(left);
    return { time: expireTime.value / 1000, label };
  });
}
