import type { AccountLimit, Protection } from "@veritick/client";
import { describe, expect, test } from "vitest";
import { closureOf, limitOf, parseLimit, shareUsed } from "@/domain/protection";
import { usd } from "./examples";

const NOW = Date.parse("2026-11-26T18:00:00Z");

function protection(more: Partial<Protection> = {}): Protection {
  return { userId: "u", version: "1", limits: [], realityCheckMinutes: 0, ...more };
}

describe("a limit that is typed", () => {
  test.each([
    ["100", "LOSS", { amount: usd(100) }],
    ["12.5", "STAKE", { amount: usd(12.5) }],
    ["0", "LOSS", { amount: usd(0) }],
    ["much", "LOSS", undefined],
    ["1.234", "LOSS", undefined],
    ["60", "SESSION_TIME", { minutes: 60 }],
    ["44640", "SESSION_TIME", { minutes: 44_640 }],
    ["44641", "SESSION_TIME", undefined],
    ["0", "SESSION_TIME", undefined],
    ["1.5", "SESSION_TIME", undefined],
  ] as const)("%j on %s is %j", (text, kind, value) => {
    expect(parseLimit(text, kind, "USD")).toEqual(value);
  });
});

test("a limit is found by what it limits and how long", () => {
  const limit = { kind: "LOSS", period: "WEEK", value: { amount: usd(1) } } as const;
  expect(limitOf(protection({ limits: [limit] }), "LOSS", "WEEK")).toBe(limit);
  expect(limitOf(protection({ limits: [limit] }), "LOSS", "DAY")).toBeUndefined();
});

describe("what keeps a user from trading", () => {
  const [soon, later] = ["2026-11-27T18:00:00Z", "2027-05-26T18:00:00Z"];
  test.each([
    ["nothing", {}, undefined],
    ["a break", { breakUntilTime: soon }, "inBreak"],
    ["an exclusion", { exclusionUntilTime: later }, "excluded"],
    ["the longer of both", { breakUntilTime: soon, exclusionUntilTime: later }, "excluded"],
    ["the other longer one", { breakUntilTime: later, exclusionUntilTime: soon }, "inBreak"],
    ["none that is over", { breakUntilTime: "2026-11-26T18:00:00Z" }, undefined],
  ])("%s", (_, more, kind) => {
    expect(closureOf(protection(more), NOW)?.kind).toBe(kind);
  });

  test("nothing is known before it is read", () => {
    expect(closureOf(undefined, NOW)).toBeUndefined();
  });
});

test.each([
  [100, 25, 0.25],
  [100, -5, 0],
  [100, 150, 1],
  [0, 0, 1],
])("of %i dollars, %i used is the share %d", (limit, used, share) => {
  expect(shareUsed({ limit: usd(limit), used: usd(used) } as AccountLimit)).toBe(share);
});
