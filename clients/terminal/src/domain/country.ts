/** Codes of two letters that name no country of ISO 3166, though languages have words for them. */
const NONE: ReadonlySet<string> = new Set(
  "AC CP CQ DG EA EU EZ IC QO TA UN XA XB XK ZZ".split(" "),
);
const LETTERS = Array.from("ABCDEFGHIJKLMNOPQRSTUVWXYZ");

/** Every country's code with its name in a language, by name. */
export function countries(locale: string): readonly (readonly [code: string, name: string])[] {
  const names = new Intl.DisplayNames(locale, { type: "region", fallback: "none" });
  const byName = new Intl.Collator(locale).compare;
  return LETTERS.flatMap((first) => LETTERS.map((second) => first + second))
    .filter((code) => !NONE.has(code) && new Intl.Locale(`und-${code}`).region === code)
    .flatMap((code) => {
      const name = names.of(code);
      return name === undefined ? [] : [[code, name] as const];
    })
    .sort(([, left], [, right]) => byName(left, right));
}

/** A country in words; its code where there are none. */
export function countryName(code: string, locale: string): string {
  return new Intl.DisplayNames(locale, { type: "region" }).of(code) ?? code;
}
