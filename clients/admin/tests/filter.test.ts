import { expect, test } from "vitest";
import { filterText, isId } from "~/domain/filter";

test.each([
  [{}, undefined],
  [{ email: "", role: "" }, undefined],
  [{ email: "ana@example.com", role: "" }, "email=ana@example.com"],
  [{ role: "support", banned: "true" }, "role=support AND banned=true"],
])("what is asked for %o is written as %s", (conditions, text) => {
  expect(filterText(conditions)).toBe(text);
});

test.each([
  ["0199c0de-7849-72aa-a5be-9cbb2abe09d0", true],
  ["0199C0DE-7849-72AA-A5BE-9CBB2ABE09D0", true],
  ["demo_0199c0de-7849-72aa-a5be-9cbb2abe09d0", false],
  ["ana@example.com", false],
  ["", false],
])("%s is an id: %s", (text, is) => {
  expect(isId(text)).toBe(is);
});
