import { describe, expect, test } from "vitest";
import { checkReceipt, decidedOutcome, decidedReturn, receiptText } from "../src/index.ts";
import type { Outcome, Receipt } from "../src/index.ts";
import { issued } from "./issuedReceipt";

const whole = { price: true, outcome: true, amounts: true, hash: true };
const { fixing } = issued;

/** The issued receipt, with the close at another price. */
function closedAt(mantissa: string, more: Partial<Receipt> = {}): Receipt {
  const tick = { ...issued.entryTick, price: { ...issued.entryTick.price, mantissa } };
  return { ...issued, fixing: { ...fixing, tick }, ...more };
}

test("a receipt as the server issued it holds in every part", async () => {
  expect(await checkReceipt(issued)).toEqual(whole);
});

test("the canonical text has one line a fact, each ended", () => {
  const lines = receiptText(issued).split("\n");
  expect(lines[0]).toBe("veritick receipt 1");
  expect(lines.filter((line) => line.startsWith("transfer "))).toHaveLength(2);
  expect(lines.at(-1)).toBe("");
});

describe("what was altered is found", () => {
  const [first, ...rest] = fixing.ticksBefore;
  if (first === undefined) throw new Error("the receipt shows its ticks");

  test.each<[string, Partial<Receipt>, Partial<typeof whole>]>([
    ["the outcome", { outcome: "WIN" }, { outcome: false }],
    ["the amount", { returned: { ...issued.returned, minorUnits: "1" } }, { amounts: false }],
    ["the moment", { expireTime: "2020-01-01T00:00:00Z" }, { price: false }],
    ["a neighbour", { fixing: { ...fixing, ticksBefore: [...rest, first] } }, { price: false }],
    ["the deciding tick", { fixing: { ...fixing, tick: first } }, { price: false }],
    ["the order of the chain", { sequence: "999" }, {}],
    ["the accepted payout", { payoutBp: 9000 }, {}],
  ])("%s", async (_, change, broken) => {
    const check = await checkReceipt({ ...issued, ...change });
    expect(check).toMatchObject({ ...broken, hash: false });
  });
});

test.each<[string, "UP" | "DOWN", number, Outcome]>([
  ["above", "UP", 1, "WIN"],
  ["above", "DOWN", 1, "LOSS"],
  ["below", "UP", -1, "LOSS"],
  ["below", "DOWN", -1, "WIN"],
  ["at", "UP", 0, "DRAW"],
  ["at", "DOWN", 0, "DRAW"],
])("a close %s the entry price of %s (%i) is %s", (_, direction, difference, outcome) => {
  const close = (BigInt(issued.entryTick.price.mantissa) + BigInt(difference)).toString();
  expect(decidedOutcome(closedAt(close, { direction }))).toBe(outcome);
});

test("without a price the order is void", () => {
  const empty = { ...fixing, state: "VOID", voidReason: "NO_TICK" } as const;
  expect(decidedOutcome({ ...issued, fixing: empty })).toBe("VOID");
});

test.each<[string, number, Outcome, bigint]>([
  ["1000", 8500, "WIN", 1850n],
  ["999", 8550, "WIN", 1853n],
  ["1000", 8500, "LOSS", 0n],
  ["1000", 8500, "DRAW", 1000n],
  ["1000", 8500, "VOID", 1000n],
])("%s at %i returns, when it is a %s, %i", (minorUnits, payoutBp, outcome, returned) => {
  const stake = { currencyCode: "USD", minorUnits };
  expect(decidedReturn({ ...issued, stake, payoutBp }, outcome)).toBe(returned);
});
