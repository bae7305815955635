import { describe, expect, test } from "vitest";
import { changes, isChange } from "~/domain/diff";

describe("what a record tells of a change", () => {
  test("is told value by value, the changed ones first", () => {
    const before = JSON.stringify({ name: "EUR/USD", status: "ENABLED", windows: [{ open: 0 }] });
    const after = JSON.stringify({ name: "EUR/USD", status: "HALTED", windows: [{ open: 60 }] });
    expect(changes(before, after)).toEqual([
      { path: "status", before: "ENABLED", after: "HALTED" },
      { path: "windows.0.open", before: "0", after: "60" },
      { path: "name", before: "EUR/USD", after: "EUR/USD" },
    ]);
  });

  test.each([
    ["", '{"role":"support"}', { path: "role", before: undefined, after: "support" }],
    ['{"role":"support"}', "", { path: "role", before: "support", after: undefined }],
    ['{"end":null}', '{"end":true}', { path: "end", before: "null", after: "true" }],
  ])("of %s to %s shows what was not there", (before, after, change) => {
    expect(changes(before, after)).toEqual([change]);
    expect(isChange(change)).toBe(true);
  });

  test("is nothing where nothing is told", () => {
    expect(changes("", "")).toEqual([]);
  });
});
