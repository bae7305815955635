/** The book that an account is in, by the account's id: `demo` of `demo_0199…`. */
export function bookOf(accountId: string): string {
  return accountId.slice(0, accountId.lastIndexOf("_"));
}
