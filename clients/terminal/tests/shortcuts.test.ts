import { expect, test } from "vitest";
import { commandOf, type Command } from "@/domain/shortcuts";

const press = { repeat: false, ctrlKey: false, metaKey: false, altKey: false };

test.each<[string, string, Command | undefined]>([
  ["KeyU", "u", "buyUp"],
  ["KeyU", "г", "buyUp"],
  ["KeyD", "в", "buyDown"],
  ["Equal", "=", "stakeMore"],
  ["NumpadAdd", "+", "stakeMore"],
  ["Minus", "-", "stakeLess"],
  ["BracketRight", "ъ", "durationMore"],
  ["BracketLeft", "х", "durationLess"],
  ["Slash", "/", "search"],
  ["Slash", "?", "help"],
  ["Digit7", "?", "help"],
  ["KeyA", "a", undefined],
  ["Enter", "Enter", undefined],
])("%s, which writes %s, is %s", (code, key, command) => {
  expect(commandOf({ ...press, code, key })).toBe(command);
});

test.each(["ctrlKey", "metaKey", "altKey"])("with %s a key belongs to the browser", (modifier) => {
  expect(commandOf({ ...press, code: "KeyD", key: "d", [modifier]: true })).toBeUndefined();
});

test("a key held down buys once, but goes on stepping", () => {
  expect(commandOf({ ...press, code: "KeyU", key: "u", repeat: true })).toBeUndefined();
  expect(commandOf({ ...press, code: "Minus", key: "-", repeat: true })).toBe("stakeLess");
});
