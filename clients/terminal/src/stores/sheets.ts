import { defineStore } from "pinia";
import { ref } from "vue";

/** What can lie over any page. */
export type SheetName = "settings" | "shortcuts" | "settlement" | "notifications";

/** At most one of them is open. */
export const useSheets = defineStore("sheets", () => {
  const current = ref<SheetName>();

  function show(name: SheetName): void {
    current.value = name;
  }

  /** Closes one, unless another took its place meanwhile. */
  function hide(name: SheetName): void {
    if (current.value === name) current.value = undefined;
  }

  return { current, show, hide };
});
