import { describe, expect, test } from "vitest";
import {
  countdownText,
  dateText,
  durationText,
  exactClockText,
  minuteText,
  momentText,
  soonText,
  spanText,
  zoneText,
} from "../src/format/time";

describe("time left", () => {
  test.each([
    [10_000, "0:10"],
    [9_001, "0:10"],
    [9_000, "0:09"],
    [1, "0:01"],
    [0, "0:00"],
    [-5_000, "0:00"],
    [754_000, "12:34"],
    [3_725_000, "1:02:05"],
  ])("%i ms show %s", (milliseconds, text) => {
    expect(countdownText(milliseconds)).toBe(text);
  });
});

describe("durations", () => {
  test.each([
    [5, "5s"],
    [60, "1m"],
    [90, "1m 30s"],
    [5_400, "1h 30m"],
    [86_400, "1d"],
  ])("%i seconds are %s", (seconds, text) => {
    expect(durationText(seconds, "en")).toBe(text);
  });
});

describe("the exact time of a tick is cut, never rounded", () => {
  test.each([
    ["2026-11-23T18:30:09.999999Z", "18:30:09.999"],
    ["2026-11-23T18:30:10Z", "18:30:10.000"],
    ["2026-11-23T18:30:10.5Z", "18:30:10.500"],
  ])("%s is %s", (time, text) => {
    expect(exactClockText(time, "en")).toBe(text);
  });
});

test.each([
  [6, "month", "en", "6 months"],
  [1, "year", "en", "1 year"],
  [2, "year", "ru", "2 года"],
  [7, "day", "es", "7 días"],
] as const)("%i × %s in %s is %s", (count, unit, locale, text) => {
  expect(spanText(count, unit, locale).replace(/\s/g, " ")).toBe(text);
});

test("a moment has its date", () => {
  expect(momentText("2026-11-23T18:30:05Z", "en")).toBe("Nov 23, 18:30:05");
});

describe("when a market opens, as shortly as the distance allows", () => {
  const now = Date.parse("2026-11-20T22:00:00Z");
  test.each([
    ["2026-11-20T23:00:00Z", "23:00 UTC"],
    ["2026-11-22T22:05:00Z", "Sun, 22:05 UTC"],
    ["2026-12-01T08:00:00Z", "Tue, Dec 1, 08:00 UTC"],
  ])("%s is %s", (time, text) => {
    expect(soonText(time, now, "en")).toBe(text);
  });
});

describe("durations in other languages", () => {
  test.each([
    ["ru", "1 мин 30 с"],
    ["es", "1min 30s"],
  ])("in %s a minute and a half is %s", (locale, text) => {
    expect(durationText(90, locale).replace(/\s/g, " ")).toBe(text);
  });
});

test("a day is the same in every zone", () => {
  expect(dateText("2026-11-26", "en")).toBe("Nov 26");
});

test("a time to the minute has its zone beside it", () => {
  const time = new Date(2026, 10, 26, 18, 30, 59).getTime();
  expect(minuteText(time, "en")).toBe("18:30");
  const zone = new Date(time).toLocaleTimeString("en", { timeZoneName: "short" }).split(" ").at(-1);
  expect(zoneText(time, "en")).toBe(zone);
});
