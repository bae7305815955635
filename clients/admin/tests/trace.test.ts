import { expect, test } from "vitest";
import { bookOf } from "~/domain/account";
import { placeText } from "~/domain/trace";

const device = "kPq0xX4c-eKgB5oB8bUo2Q";

test.each([
  ["DEVICE", device, "Firefox on Linux", "", "kPq0xX4c (Firefox on Linux)"],
  ["DEVICE", device, "", "", "kPq0xX4c"],
  ["ADDRESS", "192.0.2.7", "Firefox on Linux", "DE", "192.0.2.7 (Firefox on Linux, DE)"],
  ["ADDRESS", "2001:db8::/64", "", "", "2001:db8::/64"],
] as const)("%s %s seen with %j in %j reads %j", (kind, value, description, countryCode, text) => {
  expect(placeText({ kind, value, description, countryCode })).toBe(text);
});

test.each([
  ["demo_0199f0c2", "demo"],
  ["real-1_0199f0c2", "real-1"],
])("account %s is in the book %s", (accountId, book) => {
  expect(bookOf(accountId)).toBe(book);
});
