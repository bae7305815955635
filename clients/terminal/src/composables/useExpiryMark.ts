import { computed, type ComputedRef } from "vue";
import type { Expiry } from "@/chart/expiryMark";
import { countdownText } from "@veritick/ui/time";
import { useConnection } from "@/stores/connection";
import { useExpiry } from "@/stores/expiry";
import { useMarket } from "@/stores/market";

/** When the order being prepared would expire, while it could be bought at all. */
export function useExpiryMark(): ComputedRef<Expiry | undefined> {
  const expiry = useExpiry();
  const connection = useConnection();
  const market = useMarket();
  return computed(() => {
    const { expireTime } = expiry;
    if (market.fresh === "closed" || market.quote === undefined) return undefined;
    if (expireTime === undefined) return undefined;
    // Of the second that has begun, nothing more is promised.
    const left = Math.floor((expireTime - connection.now) / 1000) * 1000;
    const label = countdownText(left);
    const mark = { time: expireTime / 1000, label };
    const byClock = expiry.expiry !== undefined && "clockTime" in expiry.expiry;
    return byClock && expiry.cutoff !== undefined
      ? { ...mark, cutoff: expiry.cutoff / 1000 }
      : mark;
  });
}
