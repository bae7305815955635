import { describe, expect, test } from "vitest";
import { LANGUAGES, languageOf } from "@/messages";
import { en } from "@/messages/en";
import { es } from "@/messages/es";
import { ru } from "@/messages/ru";

/** The texts by their path: `order.stake` → `Stake`. */
function texts(node: object, path = ""): [string, string][] {
  return Object.entries(node).flatMap(([key, value]: [string, unknown]) =>
    typeof value === "string"
      ? [[path + key, value] as [string, string]]
      : texts(value as object, `${path}${key}.`),
  );
}

function placeholders(text: string): string[] {
  return (text.match(/\{\w+\}/g) ?? []).sort();
}

describe.each([
  ["ru", ru],
  ["es", es],
])("in %s", (_, messages) => {
  const translated = new Map(texts(messages));

  test.each(texts(en))("%s says something, with the same places for values", (path, english) => {
    const text = translated.get(path);
    expect(placeholders(text ?? "")).toEqual(placeholders(english));
    expect(text === "").toBe(english === "");
  });
});

test("every language has its own name", () => {
  expect(new Set(Object.values(LANGUAGES)).size).toBe(Object.keys(LANGUAGES).length);
});

test.each([
  [["ru-RU", "en"], "ru"],
  [["es-MX"], "es"],
  [["de-DE", "es"], "es"],
  [["de"], "en"],
  [["constructor"], "en"],
  [[], "en"],
])("who wishes %j reads %s", (wishes, language) => {
  expect(languageOf(wishes)).toBe(language);
});
