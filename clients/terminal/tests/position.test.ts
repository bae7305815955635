import { describe, expect, test } from "vitest";
import { byCloseTime, byExpiry, profit, progress, returnOnWin, standing } from "@/domain/position";
import { order, tickAt, usd } from "./examples";

describe("how an open order that entered at 1.12000 stands", () => {
  test.each([
    ["UP", 1.12001, "WINNING"],
    ["UP", 1.11999, "LOSING"],
    ["UP", 1.12, "EVEN"],
    ["DOWN", 1.11999, "WINNING"],
    ["DOWN", 1.12001, "LOSING"],
    ["DOWN", 1.12, "EVEN"],
  ] as const)("%s at %f is %s", (direction, price, expected) => {
    expect(standing(order({ direction }), tickAt(price))).toBe(expected);
  });

  test("nobody knows before the first price", () => {
    expect(standing(order(), undefined)).toBe("UNKNOWN");
  });
});

describe("the profit of a stake of 10.00", () => {
  test.each([
    ["a win", { state: "CLOSED", outcome: "WIN", returned: usd(18.5) }, 850n],
    ["a loss", { state: "CLOSED", outcome: "LOSS", returned: usd(0) }, -1000n],
    ["a draw", { state: "CLOSED", outcome: "DRAW", returned: usd(10) }, 0n],
    ["an open order", { state: "OPEN" }, undefined],
  ] as const)("%s", (_, more, expected) => {
    expect(profit(order(more))).toBe(expected);
  });
});

test("a win returns stake and profit", () => {
  expect(returnOnWin(1000n, 8500)).toBe(1850n);
});

describe("how much of an order's ten seconds has passed", () => {
  test.each([
    ["2026-11-23T18:30:00Z", 0],
    ["2026-11-23T18:30:05Z", 0.5],
    ["2026-11-23T18:30:10Z", 1],
    ["2026-11-23T18:31:00Z", 1],
    ["2026-11-23T18:29:00Z", 0],
  ])("at %s: %f", (now, part) => {
    expect(progress(order(), Date.parse(now))).toBe(part);
  });
});

test("open orders stand by expiry, the next one first", () => {
  const late = order({ orderId: "demo_1", expireTime: "2026-11-23T18:31:00Z" });
  const soon = order({ orderId: "demo_2", expireTime: "2026-11-23T18:30:00Z" });
  expect([late, soon].sort(byExpiry)).toEqual([soon, late]);
});

test("closed orders stand by closing time, the last one first", () => {
  const first = order({ orderId: "demo_1", closeTime: "2026-11-23T18:30:00Z" });
  const last = order({ orderId: "demo_2", closeTime: "2026-11-23T18:31:00Z" });
  const lastToo = order({ orderId: "demo_3", closeTime: "2026-11-23T18:31:00Z" });
  expect([first, last, lastToo].sort(byCloseTime)).toEqual([lastToo, last, first]);
});
