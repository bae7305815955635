/** Permissions under the thing that they are about, such as `users` or `ledger`, in order. */
export function grouped(
  permissions: readonly string[],
): readonly (readonly [string, readonly string[]])[] {
  const groups = new Map<string, string[]>();
  for (const permission of [...permissions].sort()) {
    const [about = ""] = permission.split(".");
    groups.set(about, [...(groups.get(about) ?? []), permission]);
  }
  return [...groups];
}

/** What changes when a role that had `before` has `after`. */
export function changeOf(
  before: readonly string[],
  after: readonly string[],
): { readonly added: readonly string[]; readonly removed: readonly string[] } {
  return {
    added: after.filter((each) => !before.includes(each)).sort(),
    removed: before.filter((each) => !after.includes(each)).sort(),
  };
}

/** What the contract takes for the name of a role. */
export function isRoleName(text: string): boolean {
  return /^[a-z][a-z0-9-]{1,39}$/.test(text);
}
