import { expect, test } from "vitest";
import { drawingScale } from "~/domain/drawing";

const A4 = { width: 595, height: 842 };

test.each([
  ["fills the column", A4, 595, 1, 1],
  ["uses what a fine screen has", A4, 595, 1.5, 1.5],
  ["is drawn no finer than twice", A4, 595, 3, 2],
  ["stays within a canvas in all", { width: 4_000, height: 2_000 }, 8_000, 1, 1],
  ["stays within a canvas in height", { width: 10, height: 16_000 }, 800, 1, 1],
])("a page %s", (_what, page, column, ratio, scale) => {
  expect(drawingScale(page, column, ratio)).toBe(scale);
});
