import {
  parseDecimal,
  currencyDigits,
  money,
  type AccountLimit,
  type LimitValue,
  type Protection,
  type ProtectionLimit,
  type ProtectionLimitKind,
  type ProtectionLimitPeriod,
} from "@veritick/client";

/** What can be limited; deposits are, once there is a cashier. */
export const LIMIT_KINDS = [
  "LOSS",
  "STAKE",
  "SESSION_TIME",
] as const satisfies readonly ProtectionLimitKind[];
export type LimitKind = (typeof LIMIT_KINDS)[number];

export const PERIODS = ["DAY", "WEEK", "MONTH"] as const satisfies readonly ProtectionLimitPeriod[];
export type Period = (typeof PERIODS)[number];

/** How long a break may be, in hours. */
export const BREAKS = [24, 72, 168, 336, 1008] as const;
/** How long one may exclude oneself, in months. */
export const EXCLUSIONS = [6, 12, 24, 60] as const;
/** After how many minutes one may want to be told how it goes; 0 for never. */
export const REALITY_CHECKS = [0, 15, 30, 60, 120] as const;

export function limitOf(
  { limits }: Protection,
  kind: LimitKind,
  period: Period,
): ProtectionLimit | undefined {
  return limits.find((each) => each.kind === kind && each.period === period);
}

const MINUTES_MAX = 44_640;

/** A limit as it was typed: an amount, or minutes; `undefined` for what is none. */
export function parseLimit(
  text: string,
  kind: LimitKind,
  currencyCode: string,
): LimitValue | undefined {
  if (kind !== "SESSION_TIME") {
    const minor = parseDecimal(text, currencyDigits(currencyCode));
    return minor === undefined ? undefined : { amount: money(minor, currencyCode) };
  }
  const minutes = /^\d{1,5}$/.test(text.trim()) ? Number(text) : 0;
  return minutes >= 1 && minutes <= MINUTES_MAX ? { minutes } : undefined;
}

/** What keeps a user from trading, and until when (milliseconds since the epoch). */
export interface Closure {
  readonly kind: "inBreak" | "excluded";
  readonly until: number;
}

/** What keeps a user from trading at a moment: the one that lasts longer. */
export function closureOf(protection: Protection | undefined, now: number): Closure | undefined {
  const ends: Closure[] = [
    { kind: "excluded", until: Date.parse(protection?.exclusionUntilTime ?? "") },
    { kind: "inBreak", until: Date.parse(protection?.breakUntilTime ?? "") },
  ];
  return ends.filter(({ until }) => until > now).sort((left, right) => right.until - left.until)[0];
}

/** Which share of a limit is used up, from 0 to 1, for drawing only. */
export function shareUsed({ limit, used }: AccountLimit): number {
  const [most, now] = [Number(limit.minorUnits), Math.max(0, Number(used.minorUnits))];
  return most === 0 ? 1 : Math.min(1, now / most);
}
