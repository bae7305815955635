import {
  minorUnits,
  type Account,
  type Instrument,
  type Scaled,
  type Terms,
} from "@veritick/client";
import { expireTimeOf, type Expiry } from "./expiry";
import type { Closure } from "./protection";

/** Everything that decides whether an order can be sent from here; the server decides again. */
export interface OrderSituation {
  readonly connected: boolean;
  readonly account: Account | undefined;
  /** What the user has set against himself. */
  readonly closure: Closure | undefined;
  readonly instrument: Instrument | undefined;
  readonly terms: Terms | undefined;
  /** Minor units; `undefined` when what was typed is no amount. */
  readonly stake: Scaled | undefined;
  /** `undefined` when the clock offers no moment any more. */
  readonly expiry: Expiry | undefined;
  /** Milliseconds since the last tick; `undefined` before the first. */
  readonly tickAge: number | undefined;
  /** The server's clock, milliseconds since the epoch. */
  readonly now: number;
}

/** Why an order cannot be sent now, and where the screen should say so. */
export type Obstacle =
  | { readonly kind: "loading" | "disconnected" | "accountFrozen" | "closeOnly" | "halted" }
  | Closure
  | { readonly kind: "marketClosed"; readonly nextOpenTime: string | undefined }
  | { readonly kind: "feedStale" | "stakeMissing" | "noClockExpiry" }
  | { readonly kind: "stakeTooSmall" | "stakeTooLarge" | "funds"; readonly limit: Scaled }
  | { readonly kind: "durationOutOfRange"; readonly min: number; readonly max: number }
  | { readonly kind: "expiresAfterClose"; readonly closeTime: string };

/** The first thing that stands in the way, in the server's own order of checks. */
export function obstacle(situation: OrderSituation): Obstacle | undefined {
  const { account, instrument, terms } = situation;
  if (!situation.connected) return { kind: "disconnected" };
  if (account === undefined || instrument === undefined || terms === undefined) {
    return { kind: "loading" };
  }
  return (
    accountObstacle(account) ??
    situation.closure ??
    marketObstacle(instrument, situation) ??
    termsObstacle(terms, situation) ??
    freshnessObstacle(instrument, situation) ??
    fundsObstacle(account, situation)
  );
}

function accountObstacle(account: Account): Obstacle | undefined {
  return account.state === "OPEN" ? undefined : { kind: "accountFrozen" };
}

function marketObstacle(
  instrument: Instrument,
  { now, expiry }: OrderSituation,
): Obstacle | undefined {
  if (instrument.status === "HALTED" || instrument.marketStatus === "HALTED") {
    return { kind: "halted" };
  }
  if (instrument.status !== "ENABLED") return { kind: "closeOnly" };
  if (instrument.marketStatus === "CLOSED") {
    return { kind: "marketClosed", nextOpenTime: instrument.nextOpenTime };
  }
  const closeTime = currentClose(instrument, now);
  if (closeTime === undefined || expiry === undefined) return undefined;
  const late = expireTimeOf(expiry, now) > Date.parse(closeTime);
  return late ? { kind: "expiresAfterClose", closeTime } : undefined;
}

function currentClose(instrument: Instrument, now: number): string | undefined {
  const [session] = instrument.sessions;
  const begun = session !== undefined && !(Date.parse(session.openTime ?? "") > now);
  return begun ? session.closeTime : undefined;
}

function termsObstacle(terms: Terms, { stake, expiry }: OrderSituation): Obstacle | undefined {
  if (stake === undefined) return { kind: "stakeMissing" };
  const [min, max] = [minorUnits(terms.stakeMin), minorUnits(terms.stakeMax)];
  if (stake < min) return { kind: "stakeTooSmall", limit: min };
  if (stake > max) return { kind: "stakeTooLarge", limit: max };
  return expiryObstacle(terms, expiry);
}

function expiryObstacle(terms: Terms, expiry: Expiry | undefined): Obstacle | undefined {
  if (expiry === undefined) return { kind: "noClockExpiry" };
  if ("clockTime" in expiry) return undefined;
  const { durationSeconds } = expiry;
  const { durationSecondsMin, durationSecondsMax } = terms;
  if (durationSeconds < durationSecondsMin || durationSeconds > durationSecondsMax) {
    return { kind: "durationOutOfRange", min: durationSecondsMin, max: durationSecondsMax };
  }
  return undefined;
}

function freshnessObstacle(
  instrument: Instrument,
  { tickAge }: OrderSituation,
): Obstacle | undefined {
  const fresh = tickAge !== undefined && tickAge <= instrument.maxTickAgeSeconds * 1000;
  return fresh && instrument.marketStatus !== "STALE" ? undefined : { kind: "feedStale" };
}

function fundsObstacle(account: Account, { stake }: OrderSituation): Obstacle | undefined {
  const available = minorUnits(account.available);
  return stake !== undefined && stake > available ? { kind: "funds", limit: available } : undefined;
}

/** Durations offered as one click, in seconds. */
const PRESETS = [5, 10, 15, 30, 60, 300, 900, 3_600, 14_400, 86_400];

/** Steps of the minus and plus buttons. */
const STEPS = [
  5, 10, 15, 20, 30, 45, 60, 120, 180, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200,
  86_400,
];

/** The presets that the terms allow. */
export function durationPresets(terms: Terms | undefined): number[] {
  return within(PRESETS, terms);
}

/** The next longer (`+1`) or shorter (`-1`) step that the terms allow, or the same duration. */
export function steppedDuration(seconds: number, way: 1 | -1, terms: Terms | undefined): number {
  const steps = within(STEPS, terms);
  const next =
    way === 1
      ? steps.find((step) => step > seconds)
      : steps.filter((step) => step < seconds).at(-1);
  return next ?? seconds;
}

function within(durations: readonly number[], terms: Terms | undefined): number[] {
  if (terms === undefined) return [];
  const { durationSecondsMin, durationSecondsMax } = terms;
  return durations.filter((each) => each >= durationSecondsMin && each <= durationSecondsMax);
}

/** The stake one step up or down: a tenth of its size, at least one major unit, within limits. */
export function steppedStake(
  stake: Scaled,
  way: 1 | -1,
  limits: { readonly min: Scaled; readonly max: Scaled; readonly unit: Scaled },
): Scaled {
  const { min, max, unit } = limits;
  let step = unit;
  // Going down from 100 takes the step of 99: up and down meet in the same amounts.
  while (step * 100n <= (way === 1 ? stake : stake - 1n)) step *= 10n;
  const next = stake + BigInt(way) * step;
  return next < min ? min : next > max ? max : next;
}

/**
 * The share of orders that must win so that winnings cover losses, in basis points.
 *
 * Rounded up to a tenth of a percent, so that it never promises more than there is.
 */
export function breakEvenBp(payoutBp: number): number {
  return Math.ceil(10_000_000 / (10_000 + payoutBp)) * 10;
}
