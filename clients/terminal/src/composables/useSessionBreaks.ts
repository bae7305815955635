import { computed, toValue, type ComputedRef, type MaybeRefOrGetter } from "vue";
import type { Bar } from "@/domain/candles";
import { sessionOpens } from "@/domain/sessions";
import { useConnection } from "@/stores/connection";
import { useMarket } from "@/stores/market";

const WEEK_SECONDS = 7 * 86_400;
const DAY_SECONDS = 86_400;

/** When the chosen instrument's sessions began, as far back as bars reach and a week ahead. */
export function useSessionBreaks(
  bars: MaybeRefOrGetter<readonly Bar[]>,
  interval: MaybeRefOrGetter<number>,
): ComputedRef<readonly number[]> {
  const connection = useConnection();
  const market = useMarket();
  const today = computed(() => Math.floor(connection.now / 1000 / DAY_SECONDS) * DAY_SECONDS);
  return computed(() => {
    const first = toValue(bars)[0];
    if (first === undefined || toValue(interval) >= DAY_SECONDS) return [];
    return sessionOpens(market.instrument?.schedule, first.time + 1, today.value + WEEK_SECONDS);
  });
}
