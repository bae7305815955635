import { ref, watch, type Ref } from "vue";

/**
 * A value that this browser keeps under a name.
 *
 * `read` makes a value of what was kept, which may be from another version; without it, what was
 * kept is taken as it is.
 */
export function remembered<Value>(
  name: string,
  initial: Value,
  read: (kept: unknown) => Value = (kept) => kept as Value,
): Ref<Value> {
  const kept = recall(name);
  const value = ref(kept === undefined ? initial : read(kept)) as Ref<Value>;
  watch(value, (now) => {
    keep(name, now);
  });
  return value;
}

/** What was kept, or `undefined` when there is nothing or somebody else wrote it. */
export function recall(name: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(keyOf(name)) ?? "null") ?? undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Keeps a value; a browser that has no room for it forgets it with the page. */
export function keep(name: string, value: unknown): void {
  try {
    localStorage.setItem(keyOf(name), JSON.stringify(value));
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}

function keyOf(name: string): string {
  return `veritick.${name}`;
}
