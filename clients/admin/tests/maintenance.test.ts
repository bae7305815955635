import type { AuditRecord } from "@veritick/client";
import { expect, test } from "vitest";
import { expectedEnd, switchingOf } from "~/domain/maintenance";

const off = '{"active": false, "note": ""}';
const on = '{"active": true, "note": "New disks"}';

test.each([
  ["began", off, on, "New disks"],
  ["began", "", on, "New disks"],
  ["changed", '{"active": true, "note": "A while"}', on, "New disks"],
  ["ended", on, off, ""],
])("somebody %s it", (what, before, after, note) => {
  expect(switchingOf({ before, after } as AuditRecord)).toEqual({ what, note });
});

test("maintenance is expected to be over so many minutes from now, or nobody knows", () => {
  const now = Date.parse("2026-11-26T18:30:00Z");
  expect(expectedEnd("120", now)).toBe("2026-11-26T20:30:00.000Z");
  expect(expectedEnd("", now)).toBeUndefined();
});
