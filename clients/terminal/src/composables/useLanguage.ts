import { computed, type WritableComputedRef } from "vue";
import { i18n, type Language } from "@/messages";
import { usePreferences } from "@/stores/preferences";
import { useSession } from "@/stores/session";
import { useAction } from "./useAction";

/** In which language one reads, letters as well from when one is signed in. */
export function useLanguage(): WritableComputedRef<Language> {
  const preferences = usePreferences();
  const session = useSession();
  const { act } = useAction();
  return computed({
    get: () => preferences.language || i18n.global.locale.value,
    set: (chosen) => {
      preferences.language = chosen;
      void act(async () => {
        await session.writeIn(chosen);
        return undefined;
      });
    },
  });
}
