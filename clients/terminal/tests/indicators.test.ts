import { describe, expect, test } from "vitest";
import type { Bar } from "@/domain/candles";
import { atr, bollinger, ema, macd, rsi, sma, stochastic, type Values } from "@/domain/indicators";

const rounded = (values: Values): (number | undefined)[] =>
  values.map((value) => value && Math.round(value * 1000) / 1000);
const none = (count: number): undefined[] => Array<undefined>(count).fill(undefined);

function bar(high: number, low: number, close: number): Bar {
  return { time: 0, open: close, high, low, close, synthetic: false };
}

test.each([
  [[1, 2, 3, 4, 5], 3, [undefined, undefined, 2, 3, 4]],
  [[4, 8], 1, [4, 8]],
  [[1, 2], 3, [undefined, undefined]],
  [[], 3, []],
  [[undefined, 2, 4, 6], 2, [undefined, undefined, 3, 5]],
])("the mean of %j over %i is %j", (prices, period, means) => {
  expect(sma(prices, period)).toEqual(means);
});

test.each([
  [[1, 2, 3, 4, 8], 3, [undefined, undefined, 2, 3, 5.5]],
  [[5, 5, 5, 5], 2, [undefined, 5, 5, 5]],
  [[1, 2], 3, [undefined, undefined]],
])("the exponential mean of %j over %i is %j", (prices, period, means) => {
  expect(ema(prices, period)).toEqual(means);
});

test("the bands lie two deviations around the mean", () => {
  const { upper, middle, lower } = bollinger([2, 4, 4, 4, 5, 5, 7, 9], 8, 2);
  // The textbook example: mean 5, standard deviation 2.
  expect([upper, middle, lower].map((band) => band.at(-1))).toEqual([9, 5, 1]);
  expect(middle.slice(0, -1).every((value) => value === undefined)).toBe(true);
});

describe("relative strength", () => {
  test.each([
    ["only rises", [1, 2, 3, 4], 2, [undefined, undefined, 100, 100]],
    ["only falls", [4, 3, 2, 1], 2, [undefined, undefined, 0, 0]],
    ["no moves", [3, 3, 3], 2, [undefined, undefined, 50]],
    ["rises and falls alike", [1, 2, 1], 2, [undefined, undefined, 50]],
    // Rise 1 and fall 0 on average; then a fall of 1 weighs a half: 0.5 against 0.5.
    ["a fall after rises", [1, 2, 3, 2], 2, [undefined, undefined, 100, 50]],
  ])("of %s", (_, prices, period, values) => {
    expect(rounded(rsi(prices, period))).toEqual(values);
  });
});

test("convergence and divergence of means, worked out by hand", () => {
  // Prices rise by 1, then leap. Means over 2 (weight 2/3) and 3 (weight 1/2):
  //   over 2:    –  1.5  2.5  3.5  3.5+2/3·(10−3.5) = 7.8333
  //   over 3:    –    –   2    3   3+1/2·(10−3)     = 6.5
  const { macd: line, signal, histogram } = macd([1, 2, 3, 4, 10], 2, 3, 2);
  expect(rounded(line)).toEqual([undefined, undefined, 0.5, 0.5, 1.333]);
  // Over 2 of these: 0.5, then 0.5 + 2/3·(1.3333 − 0.5).
  expect(rounded(signal)).toEqual([...none(3), 0.5, 1.056]);
  expect(rounded(histogram)).toEqual([...none(3), 0, 0.278]);
});

describe("the stochastic", () => {
  const bars = [bar(10, 8, 9), bar(12, 9, 11), bar(11, 7, 8), bar(13, 9, 13), bar(12, 10, 10)];

  test("is where the close lies in the span of the last bars, and means of it", () => {
    // Over 3: (8−7)/(12−7) = 20, (13−7)/(13−7) = 100, (10−7)/(13−7) = 50.
    const { k, d } = stochastic(bars, 3, 1, 2);
    expect(rounded(k)).toEqual([...none(2), 20, 100, 50]);
    expect(rounded(d)).toEqual([...none(3), 60, 75]);
  });

  test("smooths its first line as asked", () => {
    expect(rounded(stochastic(bars, 3, 2, 1).k)).toEqual([...none(3), 60, 75]);
  });

  test("of a price that stands still is even", () => {
    expect(stochastic([bar(5, 5, 5), bar(5, 5, 5)], 2, 1, 1).k).toEqual([undefined, 50]);
  });
});

test("the true range reaches back over a gap, and its mean is Wilder's", () => {
  // Ranges: 2; max(12, 9) − min(9, 9) = 3; max(20, 11) − min(18, 11) = 9.
  const bars = [bar(10, 8, 9), bar(12, 9, 11), bar(20, 18, 19)];
  // The first mean is (2 + 3) / 2; then 2.5 + (9 − 2.5) / 2.
  expect(atr(bars, 2)).toEqual([undefined, 2.5, 5.75]);
});
