/** The filter of a list, as the contract writes it: conditions that all hold; `undefined` for none. */
export function filterText(conditions: Readonly<Record<string, string>>): string | undefined {
  const given = Object.entries(conditions).filter(([, value]) => value !== "");
  return given.length === 0
    ? undefined
    : given.map(([name, value]) => `${name}=${value}`).join(" AND ");
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Whether a text is the id of a user, a session or the like. */
export function isId(text: string): boolean {
  return UUID.test(text);
}
