import { defineStore } from "pinia";
import { ref, watch, type Ref } from "vue";
import type { ChartStyle, Indicator } from "@/domain/chartStyle";
import type { Language } from "@/messages";

/** Which colours: those of the system, or always the same. */
export type Theme = "system" | "dark" | "light";

/** `oneClick` buys at once; `confirm` asks first. */
export type PurchaseMode = "oneClick" | "confirm";

/** `strict` refuses an entry price worse than the one on the screen; `off` takes any. */
export type PriceProtection = "off" | "strict";

function remembered<Value>(name: string, initial: Value): Ref<Value> {
  const key = `veritick.${name}`;
  const value = ref(stored(key) ?? initial) as Ref<Value>;
  watch(value, (now) => {
    localStorage.setItem(key, JSON.stringify(now));
  });
  return value;
}

/** What was kept, or `undefined` when there is nothing or somebody else wrote it. */
function stored(key: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null") ?? undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** What this browser remembers of its user's choices. */
export const usePreferences = defineStore("preferences", () => ({
  symbol: remembered("symbol", ""),
  accountId: remembered("account", ""),
  intervalSeconds: remembered("interval", 5),
  stakeText: remembered("stake", "10"),
  durationSeconds: remembered("duration", 30),
  purchaseMode: remembered<PurchaseMode>("purchase", "oneClick"),
  priceProtection: remembered<PriceProtection>("protection", "off"),
  theme: remembered<Theme>("theme", "system"),
  language: remembered<Language | "">("language", ""),
  chartStyle: remembered<ChartStyle>("chart", "candles"),
  indicators: remembered<readonly Indicator[]>("indicators", []),
}));
