import { expect, test } from "vitest";
import { dayAfter, daysOf, dayText, momentsOf, utcDayText } from "@/domain/period";

test.each([
  ["2026-11-30", 1, "2026-12-01"],
  ["2026-03-01", -1, "2026-02-28"],
  ["2026-12-31", 1, "2027-01-01"],
])("%s and %i days is %s", (day, days, after) => {
  expect(dayAfter(day, days)).toBe(after);
});

test("a period has all its days", () => {
  expect(daysOf({ from: "2026-11-29", to: "2026-12-01" })).toEqual([
    "2026-11-29",
    "2026-11-30",
    "2026-12-01",
  ]);
  expect(daysOf({ from: "2026-12-01", to: "2026-11-29" })).toEqual([]);
});

test("a period of days lies between midnights of the user's zone, the last day within", () => {
  const { start, end } = momentsOf({ from: "2026-11-26", to: "2026-11-26" });
  expect(new Date(start ?? "")).toEqual(new Date(2026, 10, 26));
  expect(new Date(end ?? "")).toEqual(new Date(2026, 10, 27));
  expect(momentsOf({ from: "", to: "" })).toEqual({});
});

test("a moment has a day here and one in UTC", () => {
  expect(dayText(new Date(2026, 0, 5, 23, 59))).toBe("2026-01-05");
  expect(utcDayText(Date.parse("2026-01-05T23:59:59Z"))).toBe("2026-01-05");
});
