import { expect, test } from "vitest";
import { limitText } from "~/domain/protection";

test.each([
  [{ amount: { currencyCode: "USD", minorUnits: "5000" } }, "$50.00"],
  [{ amount: { currencyCode: "USD", minorUnits: "0" } }, "$0.00"],
  [{ minutes: 90 }, "90 min"],
  [{}, "–"],
  [undefined, "–"],
])("a limit of %o reads %s", (value, text) => {
  expect(limitText(value)).toBe(text);
});
