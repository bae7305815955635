import { useMediaQuery } from "@veritick/ui";
import { computed, watchEffect, type ComputedRef } from "vue";
import { languageOf, speak } from "@/messages";
import { usePreferences } from "@/stores/preferences";

/** Which colours are shown now, by choice or by the system. */
export function useScheme(): ComputedRef<"dark" | "light"> {
  const preferences = usePreferences();
  const light = useMediaQuery("(prefers-color-scheme: light)");
  return computed(() => {
    if (preferences.theme !== "system") return preferences.theme;
    return light.value ? "light" : "dark";
  });
}

/** Shows the page in the colours and the language of its user, and whenever these change. */
export function useAppearance(): void {
  const preferences = usePreferences();
  watchEffect(() => {
    const { theme } = preferences;
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  });
  watchEffect(() => {
    void speak(preferences.language || languageOf(navigator.languages));
  });
}
