import {
  currencyDigits,
  decimalText,
  mantissa,
  minorUnits,
  type Money,
  type Price,
} from "@veritick/client";

type Exact = Intl.StringNumericLiteral;

const formats = new Map<string, Intl.NumberFormat>();

function format(locale: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = locale + JSON.stringify(options);
  let found = formats.get(key);
  if (found === undefined) {
    found = new Intl.NumberFormat(locale, options);
    formats.set(key, found);
  }
  return found;
}

/** An amount as people read it: `$1,234.50`, with a sign only when asked for or negative. */
export function moneyText(money: Money, locale: string, signed = false): string {
  // A minus and not the shorter hyphen that Intl writes.
  return amountInWords(money, locale, signed).replace("-", "−");
}

function amountInWords(money: Money, locale: string, signed: boolean): string {
  const digits = currencyDigits(money.currencyCode);
  const exact = decimalText(minorUnits(money), digits) as Exact;
  const common: Intl.NumberFormatOptions = {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    signDisplay: signed ? "exceptZero" : "auto",
  };
  // Intl knows currencies by three letters; longer tickers are written behind.
  if (money.currencyCode.length !== 3) {
    return `${format(locale, common).format(exact)} ${money.currencyCode}`;
  }
  return format(locale, {
    ...common,
    style: "currency",
    currency: money.currencyCode,
    currencyDisplay: "narrowSymbol",
  }).format(exact);
}

/** An amount in a field for typing: plain digits, without decimals that say nothing. */
export function amountText(minor: bigint, currencyCode: string): string {
  const text = decimalText(minor, currencyDigits(currencyCode));
  return text.replace(/\.0+$/, "");
}

/** A price with all decimals of its instrument: `97,123.45`. */
export function priceText(price: Price, locale: string): string {
  const digits = { minimumFractionDigits: price.scale, maximumFractionDigits: price.scale };
  return format(locale, digits).format(decimalText(mantissa(price), price.scale) as Exact);
}

/** A payout in basis points: 8500 → `85%`, 8250 → `82.5%`. */
export function payoutText(payoutBp: number, locale: string): string {
  const options: Intl.NumberFormatOptions = { style: "percent", maximumFractionDigits: 2 };
  return format(locale, options).format(decimalText(BigInt(payoutBp), 4) as Exact);
}

/** A price as a number, which is inexact: for drawing only, never for deciding. */
export function drawablePrice(price: Price): number {
  return Number(price.mantissa) / 10 ** price.scale;
}

/** A drawn price, written with the decimals of its instrument; for axes only. */
export function drawnPriceText(price: number, decimals: number, locale: string): string {
  const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  return format(locale, digits).format(price).replace("-", "−");
}

/** A change as a share of one: 0.00123 → `+0.12%`; for charts only. */
export function changeText(share: number, locale: string): string {
  const options: Intl.NumberFormatOptions = {
    style: "percent",
    minimumFractionDigits: 2,
    maximumFractionDigits: 2,
    signDisplay: "exceptZero",
  };
  return format(locale, options).format(share).replace("-", "−");
}

/** Milliseconds as seconds with one decimal: 340 → `0.3`. */
export function secondsText(milliseconds: number, locale: string): string {
  const digits = { minimumFractionDigits: 1, maximumFractionDigits: 1 };
  return format(locale, digits).format(milliseconds / 1000);
}

/** A share of one in whole percent: `45%`. */
export function percentText(share: number, locale: string): string {
  return new Intl.NumberFormat(locale, { style: "percent" }).format(share);
}
