import { computed, type ComputedRef } from "vue";
import { useTexts } from "@/messages";

/** What the buttons of a date field do, in the language of now. */
export function useDateTexts(): ComputedRef<Record<"pick" | "clear" | "before" | "after", string>> {
  const { t } = useTexts();
  return computed(() => ({
    pick: t("date.pick"),
    clear: t("date.clear"),
    before: t("date.before"),
    after: t("date.after"),
  }));
}
