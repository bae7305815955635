import { onScopeDispose } from "vue";
import { commandOf, type Command } from "@/domain/shortcuts";

/** Where keys have a meaning of their own: fields, and whatever lies over the page. */
const OWN_KEYS =
  "input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable], [role=dialog], [role=menu], [role=listbox]";

/** Runs `actions` by keyboard, for as long as the component that asks for it is there. */
export function useShortcuts(actions: Readonly<Partial<Record<Command, () => void>>>): void {
  function press(event: KeyboardEvent): void {
    if (event.defaultPrevented) return;
    if (event.target instanceof Element && event.target.closest(OWN_KEYS) !== null) return;
    const command = commandOf(event);
    const run = command && actions[command];
    if (run === undefined) return;
    event.preventDefault();
    run();
  }

  window.addEventListener("keydown", press);
  onScopeDispose(() => {
    window.removeEventListener("keydown", press);
  });
}
