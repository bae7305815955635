/** A value inside a record, and what became of it; `undefined` where it is not. */
export interface Change {
  readonly path: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** What a record says was before and is now, value by value; what changed comes first. */
export function changes(before: string, after: string): readonly Change[] {
  const [old, now] = [values(before), values(after)];
  const paths = [...new Set([...old.keys(), ...now.keys()])];
  const found = paths.map((path) => ({ path, before: old.get(path), after: now.get(path) }));
  return [...found.filter(isChange), ...found.filter((each) => !isChange(each))];
}

/** Whether a value is another than before. */
export function isChange({ before, after }: Change): boolean {
  return before !== after;
}

/** The single values of a JSON text by their paths, such as `limits.0.kind`. */
function values(json: string): Map<string, string> {
  const found = new Map<string, string>();
  if (json !== "") collect(JSON.parse(json) as unknown, "", found);
  return found;
}

function collect(value: unknown, path: string, found: Map<string, string>): void {
  if (typeof value !== "object" || value === null) {
    found.set(path, typeof value === "string" ? value : JSON.stringify(value));
    return;
  }
  for (const [name, inner] of Object.entries(value)) {
    collect(inner, path === "" ? name : `${path}.${name}`, found);
  }
}
