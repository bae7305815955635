import type { DailyProfit } from "@veritick/client";
import { describe, expect, test } from "vitest";
import { profitPlot, profitRows, sumOf, winRateBp } from "@/domain/profits";
import { usd } from "./examples";

function daily(date: string, instrument: string, winners: number, losers: number): DailyProfit {
  const stakes = 10 * (winners + losers);
  return {
    date,
    instrument,
    orders: String(winners + losers),
    winners: String(winners),
    losers: String(losers),
    refunds: "0",
    stakes: usd(stakes),
    returned: usd(18.5 * winners),
    profit: usd(18.5 * winners - stakes),
  };
}

const PROFITS = [
  daily("2026-11-26", "EURUSD", 2, 0),
  daily("2026-11-26", "BTCUSD", 0, 1),
  daily("2026-11-25", "EURUSD", 0, 3),
];

describe("a table of profits", () => {
  test.each([
    ["day", ["2026-11-26  700", "2026-11-25  -3000"]],
    ["instrument", [" BTCUSD -1000", " EURUSD -1300"]],
    ["both", ["2026-11-26 EURUSD 1700", "2026-11-26 BTCUSD -1000", "2026-11-25 EURUSD -3000"]],
  ] as const)("by %s has the rows %j", (by, rows) => {
    const found = profitRows(PROFITS, by);
    expect(found.map((row) => `${row.day} ${row.instrument} ${row.profit}`)).toEqual(rows);
  });

  test("sums up to what all of them brought", () => {
    expect(sumOf(PROFITS)).toEqual({
      orders: 6,
      winners: 2,
      losers: 4,
      refunds: 0,
      stakes: 6_000n,
      profit: -2_300n,
    });
    expect(sumOf([]).orders).toBe(0);
  });
});

test.each([
  [2, 4, 3_333],
  [1, 0, 10_000],
  [0, 0, undefined],
])("%i won and %i lost is a rate of %s", (winners, losers, rate) => {
  expect(winRateBp({ ...sumOf([]), winners, losers })).toBe(rate);
});

test("a plot has a bar for every day, and a line of the sum", () => {
  const { bars, zeroY, high, low } = profitPlot(PROFITS, [
    "2026-11-24",
    "2026-11-25",
    "2026-11-26",
  ]);
  expect(bars.map(({ profit, total }) => [profit, total])).toEqual([
    [0n, 0n],
    [-3_000n, -3_000n],
    [700n, -2_300n],
  ]);
  expect([high, low]).toEqual([700n, -3_000n]);
  const at = (value: number): number => (700 - value) / 3_700;
  expect(zeroY).toBeCloseTo(at(0));
  expect(bars[1]).toMatchObject({ height: 1 - at(0), totalY: 1 });
  expect(bars[2]?.top).toBe(0);
});

test("a plot of nothing is a line in the middle", () => {
  expect(profitPlot([], ["2026-11-26"]).zeroY).toBe(0.5);
});
