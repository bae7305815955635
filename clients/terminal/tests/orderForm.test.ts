import { describe, expect, test } from "vitest";
import {
  breakEvenBp,
  durationPresets,
  obstacle,
  steppedDuration,
  steppedStake,
  type OrderSituation,
} from "@/domain/orderForm";
import { account, instrument, terms, usd } from "./examples";

const NOW = Date.parse("2026-11-23T18:30:00.400Z");

function situation(more: Partial<OrderSituation> = {}): OrderSituation {
  return {
    connected: true,
    account: account(),
    closure: undefined,
    instrument: instrument(),
    terms: terms(),
    stake: 1000n,
    expiry: { durationSeconds: 10 },
    tickAge: 300,
    now: NOW,
    ...more,
  };
}

/** A session that closes so many seconds from the beginning of this one. */
function closing(seconds: number): Pick<OrderSituation, "instrument"> {
  const closeTime = new Date(Math.floor(NOW / 1000) * 1000 + seconds * 1000).toISOString();
  return { instrument: instrument({ sessions: [{ closeTime }] }) };
}

describe("what stands in the way of an order for 10.00 over 10 s", () => {
  test.each<[string, Partial<OrderSituation>, string | undefined]>([
    ["nothing", {}, undefined],
    ["no connection", { connected: false }, "disconnected"],
    ["an account not known yet", { account: undefined }, "loading"],
    ["terms not known yet", { terms: undefined }, "loading"],
    ["a frozen account", { account: account({ state: "FROZEN" }) }, "accountFrozen"],
    ["a break", { closure: { kind: "inBreak", until: NOW + 1 } }, "inBreak"],
    ["a halt", { instrument: instrument({ marketStatus: "HALTED" }) }, "halted"],
    [
      "an instrument on its way out",
      { instrument: instrument({ status: "CLOSE_ONLY" }) },
      "closeOnly",
    ],
    ["a closed market", { instrument: instrument({ marketStatus: "CLOSED" }) }, "marketClosed"],
    ["a close before expiry", closing(10), "expiresAfterClose"],
    ["a close at expiry is none", closing(11), undefined],
    ["no amount", { stake: undefined }, "stakeMissing"],
    ["less than the smallest stake", { stake: 99n }, "stakeTooSmall"],
    ["the smallest stake is none", { stake: 100n }, undefined],
    ["more than the largest stake", { stake: 100_001n }, "stakeTooLarge"],
    ["too short a duration", { expiry: { durationSeconds: 4 } }, "durationOutOfRange"],
    ["too long a duration", { expiry: { durationSeconds: 3601 } }, "durationOutOfRange"],
    ["a clock that offers nothing", { expiry: undefined }, "noClockExpiry"],
    ["a moment of the clock is none", { expiry: { clockTime: NOW + 90_000 } }, undefined],
    [
      "a moment after the close",
      { expiry: { clockTime: NOW + 90_000 }, ...closing(60) },
      "expiresAfterClose",
    ],
    ["no price yet", { tickAge: undefined }, "feedStale"],
    ["an old price", { tickAge: 5_001 }, "feedStale"],
    ["a price just fresh enough is none", { tickAge: 5_000 }, undefined],
    ["a silent feed", { instrument: instrument({ marketStatus: "STALE" }) }, "feedStale"],
    ["too little money", { account: account({ available: usd(9.99) }) }, "funds"],
    ["exactly enough money is none", { account: account({ available: usd(10) }) }, undefined],
  ])("%s", (_, more, kind) => {
    expect(obstacle(situation(more))?.kind).toBe(kind);
  });

  test("the server's first reason comes first", () => {
    const closed = instrument({ marketStatus: "CLOSED", nextOpenTime: "2026-11-24T00:00:00Z" });
    expect(obstacle(situation({ instrument: closed, stake: 1n, tickAge: 99_999 }))).toEqual({
      kind: "marketClosed",
      nextOpenTime: "2026-11-24T00:00:00Z",
    });
  });
});

test("only durations within the terms are offered", () => {
  const narrow = terms({ durationSecondsMin: 30, durationSecondsMax: 300 });
  expect(durationPresets(narrow)).toEqual([30, 60, 300]);
  expect(durationPresets(undefined)).toEqual([]);
});

describe("a step of the duration", () => {
  test.each([
    [10, 1, 15],
    [10, -1, 5],
    [5, -1, 5],
    [3600, 1, 3600],
    [37, 1, 45],
    [37, -1, 30],
  ] as const)("from %i by %i is %i", (seconds, way, next) => {
    expect(steppedDuration(seconds, way, terms())).toBe(next);
  });
});

describe("a step of the stake, in cents", () => {
  const limits = { min: 100n, max: 100_000n, unit: 100n };
  test.each([
    [1_000n, 1, 1_100n],
    [1_000n, -1, 900n],
    [10_000n, 1, 11_000n],
    [10_000n, -1, 9_900n],
    [100n, -1, 100n],
    [100_000n, 1, 100_000n],
    [1_050n, 1, 1_150n],
  ] as const)("from %s by %i is %s", (stake, way, next) => {
    expect(steppedStake(stake, way, limits)).toBe(next);
  });
});

test.each([
  [10_000, 5_000],
  [8_500, 5_410],
  [6_500, 6_070],
])("a payout of %i pays from %i wins in ten thousand on", (payoutBp, wins) => {
  expect(breakEvenBp(payoutBp)).toBe(wins);
});
