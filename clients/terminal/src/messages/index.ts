import { createI18n, useI18n, type Composer } from "vue-i18n";
import { en } from "./en";

/** A language is added by a file of the shape of `en`, and a word here. */
const messages = { en };

export const i18n = createI18n({
  legacy: false,
  locale: "en",
  fallbackLocale: "en",
  messages,
});

type Texts = Pick<Composer, "t" | "te" | "locale">;

/** The texts of the current language, and the locale by which numbers and times are written. */
export function useTexts(): Texts {
  return useI18n();
}
