import { expect, test } from "vitest";
import { dayAfter, fullMomentText } from "~/domain/moment";

test.each([
  ["2026-11-26", "2026-11-27"],
  ["2026-12-31", "2027-01-01"],
  ["2028-02-28", "2028-02-29"],
])("after %s comes %s", (day, next) => {
  expect(dayAfter(day)).toBe(next);
});

test("a moment tells its year, and never is a dash", () => {
  expect(fullMomentText("2026-11-26T18:30:05.250Z")).toBe("Nov 26, 2026, 18:30:05");
  expect(fullMomentText(undefined)).toBe("–");
});
