import { mantissa, type Instrument, type Terms, type Tick } from "@veritick/client";

/** How far the price on the screen can be trusted. */
export type Freshness = "live" | "slow" | "stale" | "closed";

const SLOW_AFTER_MS = 2_500;

export function freshness(
  instrument: Instrument | undefined,
  tickAge: number | undefined,
): Freshness {
  if (instrument === undefined || tickAge === undefined) return "stale";
  if (instrument.marketStatus === "CLOSED" || instrument.marketStatus === "HALTED") return "closed";
  if (instrument.marketStatus === "STALE") return "stale";
  if (tickAge > instrument.maxTickAgeSeconds * 1000) return "stale";
  return tickAge > SLOW_AFTER_MS ? "slow" : "live";
}

/** The group of the instruments that one likes best. */
export const FAVOURITES = "FAVOURITES";

/** Which way the price went with the last tick: -1, 0 or 1. */
export function move(before: Tick | undefined, after: Tick): -1 | 0 | 1 {
  if (before === undefined) return 0;
  const difference = mantissa(after.price) - mantissa(before.price);
  return difference === 0n ? 0 : difference > 0n ? 1 : -1;
}

/** Instruments whose name or symbol contains what was typed, `eur usd` like `EUR/USD`. */
export function matching(instruments: readonly Instrument[], typed: string): Instrument[] {
  const bare = (text: string): string => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
  const wanted = bare(typed);
  return instruments.filter(
    ({ symbol, displayName }) =>
      bare(symbol).includes(wanted) || bare(displayName).includes(wanted),
  );
}

/** Favourites first, then by asset class, in the order in which the classes first appear. */
export function favouritesFirst(
  instruments: readonly Instrument[],
  favourites: readonly string[],
): [string, Instrument[]][] {
  const groups = Map.groupBy(instruments, ({ symbol, assetClass }) =>
    favourites.includes(symbol) ? FAVOURITES : assetClass,
  );
  return [...groups].sort(
    ([left], [right]) => Number(right === FAVOURITES) - Number(left === FAVOURITES),
  );
}

/** The instrument to begin with: the first that can be traded now, else the first. */
export function firstChoice(
  instruments: readonly Instrument[],
  terms: ReadonlyMap<string, Terms>,
): string | undefined {
  const tradable = instruments.find(
    ({ symbol, status, marketStatus }) =>
      status === "ENABLED" && marketStatus === "OPEN" && terms.has(symbol),
  );
  return (tradable ?? instruments[0])?.symbol;
}
