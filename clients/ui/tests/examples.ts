import type { Money } from "@veritick/client";

/** Dollars and cents as they travel: `usd(12.34)`. */
export function usd(amount: number): Money {
  return { currencyCode: "USD", minorUnits: String(Math.round(amount * 100)) };
}
