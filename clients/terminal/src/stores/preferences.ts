import { defineStore } from "pinia";
import type { ChartStyle } from "@/domain/chartStyle";
import type { ExpiryMode } from "@/domain/expiry";
import type { Happening } from "@/domain/notification";
import { readStudies, type Study } from "@/domain/study";
import type { Language } from "@/messages";
import { remembered } from "./remembered";

/** Which colours: those of the system, or always the same. */
export type Theme = "system" | "dark" | "light";

/** `oneClick` buys at once; `confirm` asks first. */
export type PurchaseMode = "oneClick" | "confirm";

/** `strict` refuses an entry price worse than the one on the screen; `off` takes any. */
export type PriceProtection = "off" | "strict";

/** What this browser remembers of its user's choices. */
export const usePreferences = defineStore("preferences", () => {
  const favourites = remembered<readonly string[]>("favourites", []);

  /** Makes an instrument a favourite, or not one any more. */
  function favour(symbol: string): void {
    const others = favourites.value.filter((each) => each !== symbol);
    favourites.value =
      others.length < favourites.value.length ? others : [...favourites.value, symbol];
  }

  return {
    favourites,
    favour,
    tourDue: remembered("tourDue", false),
    symbol: remembered("symbol", ""),
    accountId: remembered("account", ""),
    intervalSeconds: remembered("interval", 5),
    stakeText: remembered("stake", "10"),
    durationSeconds: remembered("duration", 30),
    expiryMode: remembered<ExpiryMode>("expiry", "duration"),
    purchaseMode: remembered<PurchaseMode>("purchase", "oneClick"),
    priceProtection: remembered<PriceProtection>("protection", "off"),
    theme: remembered<Theme>("theme", "system"),
    language: remembered<Language | "">("language", ""),
    chartStyle: remembered<ChartStyle>("chart", "candles"),
    studies: remembered<readonly Study[]>("studies", [], readStudies),
    /** The kinds of happenings that are not told. */
    muted: remembered<readonly Happening["kind"][]>("muted", []),
    tabs: remembered<readonly string[]>("tabs", []),
  };
});
