import { describe, expect, test } from "vitest";
import { amountText, moneyText, payoutText, priceText, secondsText } from "../src/format/number";
import { usd } from "./examples";

describe("amounts as people read them", () => {
  test.each([
    [usd(1234.5), false, "$1,234.50"],
    [usd(0), false, "$0.00"],
    [usd(-10), false, "−$10.00"],
    [usd(8.5), true, "+$8.50"],
    [usd(-10), true, "−$10.00"],
    [usd(0), true, "$0.00"],
    [{ currencyCode: "JPY", minorUnits: "1500" }, false, "¥1,500"],
    [{ currencyCode: "USDT", minorUnits: "2500000" }, false, "2.500000 USDT"],
    [{ currencyCode: "USD", minorUnits: "900719925474099312" }, false, "$9,007,199,254,740,993.12"],
  ])("%j is %s", (money, signed, text) => {
    expect(moneyText(money, "en", signed)).toBe(text);
  });
});

describe("amounts in a field for typing say no decimals in vain", () => {
  test.each([
    [1000n, "10"],
    [1050n, "10.50"],
    [5n, "0.05"],
  ])("%s minor units are %s", (minor, text) => {
    expect(amountText(minor, "USD")).toBe(text);
  });
});

describe("prices keep all decimals of their instrument", () => {
  test.each([
    [{ mantissa: "9712345", scale: 2 }, "97,123.45"],
    [{ mantissa: "112140", scale: 5 }, "1.12140"],
    [{ mantissa: "59000", scale: 1 }, "5,900.0"],
  ])("%j is %s", (price, text) => {
    expect(priceText(price, "en")).toBe(text);
  });
});

describe("payouts in per cent", () => {
  test.each([
    [8500, "85%"],
    [8250, "82.5%"],
    [6667, "66.67%"],
  ])("%i bp are %s", (payoutBp, text) => {
    expect(payoutText(payoutBp, "en")).toBe(text);
  });
});

test.each([
  [340, "en", "0.3"],
  [12_060, "en", "12.1"],
  [1_500, "ru", "1,5"],
])("%i ms are, in %s, %s seconds", (milliseconds, locale, text) => {
  expect(secondsText(milliseconds, locale)).toBe(text);
});
