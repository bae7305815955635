import { createI18n, useI18n, type Composer } from "vue-i18n";
import { en, type Messages } from "./en";

/** The languages, each by its own name. */
export const LANGUAGES = { en: "English", ru: "Русский", es: "Español" } as const;

export type Language = keyof typeof LANGUAGES;

/** A language is added by a file of the shape of `en`, a name above and a line here. */
const others: Readonly<Record<Exclude<Language, "en">, () => Promise<Messages>>> = {
  ru: async () => (await import("./ru")).ru,
  es: async () => (await import("./es")).es,
};

export const i18n = createI18n({
  legacy: false,
  locale: "en",
  fallbackLocale: "en",
  messages: { en } as Record<Language, Messages>,
});

/** The first of the wished languages that there is, by its language alone: `es-MX` is Spanish. */
export function languageOf(wishes: readonly string[]): Language {
  const names = wishes.map((wish) => wish.split("-")[0]?.toLowerCase() ?? "");
  return names.find(isLanguage) ?? "en";
}

function isLanguage(name: string): name is Language {
  return Object.hasOwn(LANGUAGES, name);
}

let wanted: Language = "en";

/** Shows everything in a language; what is asked for last holds. */
export async function speak(language: Language): Promise<void> {
  wanted = language;
  if (language !== "en") i18n.global.setLocaleMessage(language, await others[language]());
  if (wanted !== language) return;
  i18n.global.locale.value = language;
  document.documentElement.lang = language;
}

type Texts = Pick<Composer, "t" | "te" | "locale">;

/** The texts of the current language, and the locale by which numbers and times are written. */
export function useTexts(): Texts {
  return useI18n();
}
