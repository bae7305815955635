import { describe, expect, test } from "vitest";
import { clockExpiries, cutoffOf, expireTimeOf, steppedClock } from "@/domain/expiry";
import { terms } from "./examples";

const at = (time: string): number => Date.parse(`2026-11-23T${time}Z`);
const clock = (milliseconds: number): string =>
  new Date(milliseconds).toISOString().replace(/.*T(.*):00\.000Z/, "$1");

describe("the moments that the clock offers", () => {
  const grid = { expiryGridMinutes: [1, 5, 15, 60], durationSecondsMax: 86_400 };
  test.each([
    ["18:30:00", grid, "18:31 18:32 18:33 18:35 18:40 18:45 19:00 19:15 20:00 21:00"],
    ["18:30:30", grid, "18:31 18:32 18:33 18:35 18:40 18:45 19:00 19:15 20:00 21:00"],
    ["18:30:30.001", grid, "18:32 18:33 18:34 18:35 18:40 18:45 19:00 19:15 20:00 21:00"],
    ["23:59:10", { ...grid, expiryGridMinutes: [60] }, "00:00 01:00 02:00"],
    ["18:30:00", { ...grid, durationSecondsMax: 120 }, "18:31 18:32"],
    ["18:30:00", { ...grid, expiryGridMinutes: [] }, ""],
  ])("at %s under %j are %s", (now, more, offered) => {
    expect(clockExpiries(terms(more), at(now)).map(clock).join(" ")).toBe(offered);
  });

  test("are none before the terms are known", () => {
    expect(clockExpiries(undefined, at("18:30:00"))).toEqual([]);
  });
});

test("an order for a moment can be bought until the cutoff before it", () => {
  expect(cutoffOf(at("18:31:00"), terms({ expiryCutoffSeconds: 30 }))).toBe(at("18:30:30"));
});

test.each([
  [{ durationSeconds: 10 }, "18:30:00.400", "18:30:11"],
  [{ durationSeconds: 10 }, "18:30:00", "18:30:10"],
  [{ clockTime: at("18:35:00") }, "18:30:00.400", "18:35:00"],
] as const)("%j chosen at %s expires at %s", (expiry, now, expires) => {
  expect(expireTimeOf(expiry, at(now))).toBe(at(expires));
});

test.each([
  [20, 1, 30],
  [20, -1, 10],
  [30, 1, 30],
  [10, -1, 10],
  [15, 1, 20],
] as const)("from %i by %i is %i", (time, way, next) => {
  expect(steppedClock([10, 20, 30], time, way)).toBe(next);
});
