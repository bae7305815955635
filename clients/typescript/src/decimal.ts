import type { Money, Price } from "./types.ts";

/** An amount or a price as an exact integer of its last decimal place. */
export type Scaled = bigint;

/** Decimal places of a currency's minor unit; two unless listed. */
const CURRENCY_DIGITS: Readonly<Record<string, number>> = { JPY: 0, KRW: 0, USDT: 6 };

export function currencyDigits(currencyCode: string): number {
  return CURRENCY_DIGITS[currencyCode] ?? 2;
}

/** 112146 at scale 5 → "1.12146". */
export function decimalText(value: Scaled, scale: number): string {
  const sign = value < 0n ? "-" : "";
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, "0");
  if (scale === 0) return sign + digits;
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** "12.5" at scale 2 → 1250; `undefined` for what is no such number. A comma counts as a point. */
export function parseDecimal(text: string, scale: number): Scaled | undefined {
  const match = /^\s*(\d{1,15})?(?:[.,](\d*))?\s*$/.exec(text);
  const whole = match?.[1] ?? "";
  const fraction = match?.[2] ?? "";
  if (match === null || whole + fraction === "" || fraction.length > scale) return undefined;
  return BigInt((whole || "0") + fraction.padEnd(scale, "0"));
}

export function minorUnits(money: Money): Scaled {
  return BigInt(money.minorUnits);
}

export function money(minor: Scaled, currencyCode: string): Money {
  return { currencyCode, minorUnits: minor.toString() };
}

export function mantissa(price: Price): Scaled {
  return BigInt(price.mantissa);
}

/** The profit of a win: stake × payout, rounded down to the minor unit (rules.md, Outcome). */
export function profitOnWin(stake: Scaled, payoutBp: number): Scaled {
  return (stake * BigInt(payoutBp)) / 10_000n;
}
