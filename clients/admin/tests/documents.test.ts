import { expect, test } from "vitest";
import { sizeText } from "~/domain/documents";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1_000, "1.0 kB"],
  [1_440_000, "1.4 MB"],
  [8_388_608, "8.4 MB"],
])("%d bytes are %s", (bytes, text) => {
  expect(sizeText(bytes)).toBe(text);
});
