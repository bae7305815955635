import { expect, test } from "vitest";
import { receiptPlot, ticksAround } from "@/domain/receiptPlot";
import { receipt } from "./examples";

test("the tick that decided is the last one before expiry", () => {
  expect(ticksAround(receipt()).map(({ tick, decides }) => [tick.number, decides])).toEqual([
    ["101", false],
    ["102", true],
    ["103", false],
  ]);
});

test("expiry is drawn between the ticks on its two sides", () => {
  const plot = receiptPlot(receipt());
  const [, decisive, later] = plot?.ticks ?? [];
  expect(decisive?.x).toBeLessThan(plot?.expiryX ?? 0);
  expect(later?.x).toBeGreaterThan(plot?.expiryX ?? 1);
});

test("higher prices are drawn higher", () => {
  const plot = receiptPlot(receipt());
  expect(plot?.ticks.map(({ y }) => Number(y.toFixed(3)))).toEqual([0.667, 0, 1]);
  expect(plot?.entryY).toBeCloseTo(0.833);
});

test("a void receipt without ticks is not drawn", () => {
  const fixing = { ...receipt().fixing, ticksBefore: [], ticksAfter: [] };
  expect(receiptPlot(receipt({ fixing }))).toBeUndefined();
});
