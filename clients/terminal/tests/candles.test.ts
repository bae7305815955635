import { describe, expect, test } from "vitest";
import { axisPosition, axisTime, barOf, withTick, type Bar } from "@/domain/candles";

function bar(time: number, [open, high, low, close]: number[], synthetic = false): Bar {
  return { time, open: open ?? 0, high: high ?? 0, low: low ?? 0, close: close ?? 0, synthetic };
}

test("a candle is drawn at the scale of its instrument", () => {
  const candle = {
    startTime: "1970-01-01T00:01:00Z",
    open: "112140",
    high: "112150",
    low: "112130",
    close: "112146",
    ticks: 4,
    synthetic: false,
  };
  expect(barOf(candle, 5)).toEqual(bar(60, [1.1214, 1.1215, 1.1213, 1.12146]));
});

describe("a tick in intervals of five seconds", () => {
  const newest = bar(10, [5, 6, 4, 5]);
  test.each([
    ["above the bar raises it", { seconds: 12, price: 7 }, bar(10, [5, 7, 4, 7])],
    ["below the bar lowers it", { seconds: 14.999, price: 3 }, bar(10, [5, 6, 3, 3])],
    ["within the bar moves its close", { seconds: 12, price: 5.5 }, bar(10, [5, 6, 4, 5.5])],
    ["in the next interval begins a bar", { seconds: 15, price: 7 }, bar(15, [7, 7, 7, 7])],
    ["after a silence leaves the gap empty", { seconds: 31, price: 7 }, bar(30, [7, 7, 7, 7])],
    ["that is older changes nothing", { seconds: 9.9, price: 7 }, undefined],
  ])("%s", (_, tick, expected) => {
    expect(withTick(newest, tick, 5)).toEqual(expected);
  });

  test("replaces a generated bar of its interval", () => {
    const generated = bar(10, [50, 60, 40, 50], true);
    expect(withTick(generated, { seconds: 11, price: 7 }, 5)).toEqual(bar(10, [7, 7, 7, 7]));
  });

  test("begins the first bar", () => {
    expect(withTick(undefined, { seconds: 11, price: 7 }, 5)).toEqual(bar(10, [7, 7, 7, 7]));
  });
});

describe("where a moment lies on the axis of bars", () => {
  const bars = [100, 105, 110, 130, 135].map((time) => ({ time }));
  test.each([
    ["at the beginning of a bar", 105, 1],
    ["in the middle of a bar", 107.5, 1.5],
    ["in a gap, at the end of the bar before it", 120, 3],
    ["after a gap", 130, 3],
    ["in the newest bar", 136, 4.2],
    ["in the future", 150, 7],
    ["before the first bar", 95, -1],
  ])("%s", (_, seconds, position) => {
    expect(axisPosition(bars, seconds, 5)).toBeCloseTo(position);
  });

  test("nowhere while there are no bars", () => {
    expect(axisPosition([], 100, 5)).toBeUndefined();
  });

  test.each([[0.5], [1], [2.25], [3], [4.5], [8], [-3.5]])(
    "and back, from position %d",
    (position) => {
      const seconds = axisTime(bars, position, 5);
      expect(axisPosition(bars, seconds ?? NaN, 5)).toBeCloseTo(position);
    },
  );
});
