import { expect, test } from "vitest";
import { changeOf, grouped, isRoleName } from "~/domain/roles";

test("permissions stand under what they are about", () => {
  expect(grouped(["users.write", "ledger.read", "users.ban"])).toEqual([
    ["ledger", ["ledger.read"]],
    ["users", ["users.ban", "users.write"]],
  ]);
});

test("a change tells what comes and what goes", () => {
  expect(changeOf(["users.read", "users.ban"], ["users.read", "audit.read"])).toEqual({
    added: ["audit.read"],
    removed: ["users.ban"],
  });
});

test.each([
  ["night-shift", true],
  ["a1", true],
  ["a", false],
  ["Night", false],
  ["1st", false],
  ["a".repeat(41), false],
])("%s names a role: %s", (name, is) => {
  expect(isRoleName(name)).toBe(is);
});
