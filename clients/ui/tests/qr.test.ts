import { expect, test } from "vitest";
import { grouped, qrPath } from "../src/qr";

test("a QR code is a square for each dark cell", () => {
  const cells = [
    [true, false],
    [false, true],
  ];
  expect(qrPath(cells)).toBe("M0 0h1v1h-1zM1 1h1v1h-1z");
});

test.each([
  ["ABCDEFGH", "ABCD EFGH"],
  ["ABCDEFGHI", "ABCD EFGH I"],
  ["", ""],
])("%j is typed as %j", (secret, shown) => {
  expect(grouped(secret)).toBe(shown);
});
