import { describe, expect, test } from "vitest";
import { bollinger, ema, rsi, sma, type Values } from "@/domain/indicators";

const rounded = (values: Values): (number | undefined)[] =>
  values.map((value) => value && Math.round(value * 1000) / 1000);

test.each([
  [[1, 2, 3, 4, 5], 3, [undefined, undefined, 2, 3, 4]],
  [[4, 8], 1, [4, 8]],
  [[1, 2], 3, [undefined, undefined]],
  [[], 3, []],
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
