import type { Requirement } from "@veritick/client";

/** What an account with real money takes, in the order in which one sees to it. */
export const REQUIREMENTS = [
  "EMAIL_CONFIRMED",
  "COUNTRY",
  "COUNTRY_ALLOWED",
  "BIRTH_DATE",
  "AGE",
  "AGREEMENT",
] as const satisfies readonly Requirement[];

/** What cannot be judged before something else is known. */
const RESTS_ON: Readonly<Partial<Record<Requirement, Requirement>>> = {
  COUNTRY_ALLOWED: "COUNTRY",
  AGE: "BIRTH_DATE",
};

/** What is not there yet: what is missing, and what rests on it. */
export function requirementsLeft(missing: readonly Requirement[]): ReadonlySet<Requirement> {
  return new Set(
    REQUIREMENTS.filter((each) => {
      const ground = RESTS_ON[each];
      return missing.includes(each) || (ground !== undefined && missing.includes(ground));
    }),
  );
}
