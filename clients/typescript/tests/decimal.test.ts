import { describe, expect, test } from "vitest";
import { decimalText, money, parseDecimal, profitOnWin } from "../src/index.ts";

describe("a scaled integer is written with its decimals", () => {
  test.each([
    [112146n, 5, "1.12146"],
    [5n, 5, "0.00005"],
    [0n, 2, "0.00"],
    [-1050n, 2, "-10.50"],
    [-5n, 2, "-0.05"],
    [1234n, 0, "1234"],
    [9_007_199_254_740_993n, 2, "90071992547409.93"],
  ])("%s at scale %i is %s", (value, scale, text) => {
    expect(decimalText(value, scale)).toBe(text);
  });
});

describe("what was typed becomes an exact amount, or none", () => {
  test.each([
    ["10", 2, 1000n],
    ["10.5", 2, 1050n],
    ["10,50", 2, 1050n],
    [" 0.01 ", 2, 1n],
    [".5", 2, 50n],
    ["5.", 2, 500n],
    ["100", 0, 100n],
    ["90071992547409.93", 2, 9_007_199_254_740_993n],
    ["10.555", 2, undefined],
    ["1.0", 0, undefined],
    ["", 2, undefined],
    [".", 2, undefined],
    ["-5", 2, undefined],
    ["1e3", 2, undefined],
    ["ten", 2, undefined],
    ["1234567890123456", 2, undefined],
  ])("%j at scale %i is %s", (text, scale, minor) => {
    expect(parseDecimal(text, scale)).toBe(minor);
  });
});

describe("the profit of a win is rounded down to the minor unit", () => {
  test.each([
    [1000n, 8500, 850n],
    [101n, 8500, 85n],
    [1n, 8500, 0n],
    [100_000n, 9250, 92_500n],
  ])("stake %s at %i bp wins %s", (stake, payoutBp, profit) => {
    expect(profitOnWin(stake, payoutBp)).toBe(profit);
  });
});

test("money on the wire is text", () => {
  expect(money(1234n, "USD")).toEqual({ currencyCode: "USD", minorUnits: "1234" });
});
