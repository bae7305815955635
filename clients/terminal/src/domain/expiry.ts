import type { Terms } from "@veritick/client";

/** Whether an order expires so long after it opens, or at a moment of the clock. */
export type ExpiryMode = "duration" | "clock";

/** When an order is to expire; exactly one. Times are milliseconds since the epoch. */
export type Expiry = { readonly durationSeconds: number } | { readonly clockTime: number };

const MINUTE = 60_000;
/** How many moments of each grid are offered. */
const EACH = 3;

/** When an order would expire if it opened now: whole seconds, rounded up (rules.md, Acceptance). */
export function expireTimeOf(expiry: Expiry, now: number): number {
  if ("clockTime" in expiry) return expiry.clockTime;
  return Math.ceil(now / 1000 + expiry.durationSeconds) * 1000;
}

/** The last moment at which an order that expires then can be bought. */
export function cutoffOf(clockTime: number, terms: Terms): number {
  return clockTime - terms.expiryCutoffSeconds * 1000;
}

/**
 * The moments on the grids of the terms at which an order bought now may expire, soonest first.
 *
 * Grids count from midnight UTC. The next few of each are offered: every minute near by, then
 * quarters and hours.
 */
export function clockExpiries(terms: Terms | undefined, now: number): number[] {
  if (terms === undefined) return [];
  const first = now + terms.expiryCutoffSeconds * 1000;
  const last = now + terms.durationSecondsMax * 1000;
  const offered = terms.expiryGridMinutes.flatMap((minutes) =>
    onGrid(first, minutes * MINUTE).filter((time) => time <= last),
  );
  return [...new Set(offered)].sort((left, right) => left - right);
}

function onGrid(first: number, width: number): number[] {
  const midnight = Math.floor(first / (1440 * MINUTE)) * 1440 * MINUTE;
  const begin = midnight + Math.ceil((first - midnight) / width) * width;
  return Array.from({ length: EACH }, (_, index) => begin + index * width);
}

/** The next later (`+1`) or earlier (`-1`) of the times offered, or the same one. */
export function steppedClock(times: readonly number[], time: number, way: 1 | -1): number {
  const next =
    way === 1 ? times.find((each) => each > time) : times.findLast((each) => each < time);
  return next ?? time;
}
