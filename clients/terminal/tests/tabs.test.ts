import { expect, test } from "vitest";
import { neighbour, withoutTab, withTab } from "@/domain/tabs";

test.each([
  [[], "A", ["A"]],
  [["A", "B"], "A", ["A", "B"]],
  [["A", "B"], "C", ["A", "B", "C"]],
  [["A", "B", "C", "D", "E", "F"], "G", ["B", "C", "D", "E", "F", "G"]],
])("%j with %s is %j", (tabs, symbol, expected) => {
  expect(withTab(tabs, symbol)).toEqual(expected);
});

test.each([
  [["A", "B", "C"], "B", ["A", "C"], "C"],
  [["A", "B", "C"], "C", ["A", "B"], "B"],
  [["A"], "A", ["A"], undefined],
])("%j without %s is %j, and %s is shown next", (tabs, symbol, expected, next) => {
  expect(withoutTab(tabs, symbol)).toEqual(expected);
  expect(neighbour(tabs, symbol)).toBe(next);
});
