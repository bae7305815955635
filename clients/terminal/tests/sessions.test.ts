import { expect, test } from "vitest";
import { sessionOpens } from "@/domain/sessions";

const seconds = (time: string): number => Date.parse(time) / 1000;
const times = (opens: readonly number[]): string[] =>
  opens.map((open) => new Date(open * 1000).toISOString().slice(0, 16));

/** From Sunday 18:00 each day until 17:00 the next day, in New York. */
const METALS = {
  timeZone: "America/New_York",
  windows: [6, 0, 1, 2, 3].map((day) => ({
    openMinute: day * 1440 + 18 * 60,
    closeMinute: (day + 1) * 1440 + 17 * 60,
  })),
  holidays: [],
};

test("sessions open by the venue's own clock, which changes in winter", () => {
  const opens = sessionOpens(METALS, seconds("2026-10-29T00:00Z"), seconds("2026-11-03T12:00Z"));
  expect(times(opens)).toEqual([
    "2026-10-29T22:00", // Thursday, summer time
    "2026-11-01T23:00", // Sunday, after the clocks went back that morning
    "2026-11-02T23:00",
  ]);
});

test("a market around the clock has no breaks, in one piece or seven", () => {
  const days = Array.from({ length: 7 }, (_, day) => ({
    openMinute: day * 1440,
    closeMinute: (day + 1) * 1440,
  }));
  const [from, until] = [seconds("2026-11-01T00:00Z"), seconds("2026-11-20T00:00Z")];
  for (const windows of [days, [{ openMinute: 0, closeMinute: 10_080 }]]) {
    expect(sessionOpens({ timeZone: "UTC", windows, holidays: [] }, from, until)).toEqual([]);
  }
});

test("an instrument of which no timetable is known has none", () => {
  expect(sessionOpens(undefined, 0, 1_000_000)).toEqual([]);
});
