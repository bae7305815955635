import { describe, expect, test } from "vitest";
import type { Bar } from "@/domain/candles";
import {
  INDICATOR_KINDS,
  indicatorOf,
  readStudies,
  settled,
  STUDIES_MAX,
  withStudy,
  type Study,
} from "@/domain/study";

/** Prices that wander, the same each time. */
const bars: Bar[] = Array.from({ length: 3_000 }, (_, time) => {
  const close = 100 + 5 * Math.sin(time / 7) + 3 * Math.sin(time / 31 + 1) + (time % 5) / 10;
  return { time, open: close, high: close + 0.7, low: close - 0.4, close, synthetic: false };
});

describe.each(INDICATOR_KINDS)("%s", (kind) => {
  const indicator = indicatorOf({ kind });
  const settings = indicator.parameters.map(({ initial }) => initial);
  const whole = indicator.calculate(bars, settings);

  test("has a value of each curve at the newest of many bars", () => {
    expect(whole).toHaveLength(indicator.curves.length);
    expect(whole.every((values) => Number.isFinite(values.at(-1)))).toBe(true);
  });

  test("remembers no further back than it says", () => {
    const tail = bars.slice(-indicator.memory(settings) - 1);
    indicator.calculate(tail, settings).forEach((values, curve) => {
      expect(values.at(-1)).toBeCloseTo(whole[curve]?.at(-1) ?? NaN, 7);
    });
  });

  test("says nothing of no bars", () => {
    expect(indicator.calculate([], settings).every((values) => values.length === 0)).toBe(true);
  });
});

test("each study gets a colour of its own, and there is an end of them", () => {
  let studies: Study[] = [];
  for (let count = 0; count < 20; count += 1) studies = withStudy(studies, "sma", String(count));
  expect(studies).toHaveLength(STUDIES_MAX);
  expect(new Set(studies.slice(0, 6).map(({ colour }) => colour)).size).toBe(6);
  const without = studies.filter(({ id }) => id !== "2").slice(0, 5);
  expect(withStudy(without, "rsi", "new").at(-1)?.colour).toBe(2);
});

test.each([
  [14, 14],
  [14.4, 14],
  [0, 1],
  [9_999, 500],
  [NaN, undefined],
])("a period of %d becomes %s", (typed, value) => {
  const parameter = { name: "period", initial: 14, min: 1, max: 500, step: 1 } as const;
  expect(settled(typed, parameter)).toBe(value);
});

test.each([
  ["nothing", undefined, 0],
  ["another shape", { studies: [] }, 0],
  ["names only, as an older version kept them", ["sma", "rsi"], 0],
  ["an indicator that there is not", [{ id: "a", kind: "zigzag", settings: [1], colour: 0 }], 0],
  ["a number too few", [{ id: "a", kind: "macd", settings: [12, 26], colour: 0 }], 0],
  ["a number out of range", [{ id: "a", kind: "sma", settings: [0], colour: 0 }], 0],
  ["a study", [{ id: "a", kind: "sma", settings: [50], colour: 0 }], 1],
])("of %s that was kept, %s studies remain", (_, kept, count) => {
  expect(readStudies(kept)).toHaveLength(count);
});
