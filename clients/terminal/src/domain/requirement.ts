import type { Requirement } from "@veritick/client";

/** What an account with real money takes, in the order in which one sees to it. */
const REQUIREMENTS = [
  "EMAIL_CONFIRMED",
  "COUNTRY",
  "COUNTRY_ALLOWED",
  "BIRTH_DATE",
  "AGE",
  "AGREEMENT",
] as const satisfies readonly Requirement[];

/** What is to be seen to; where one is, is told of only when it stands in the way. */
export function requirementsShown(missing: readonly Requirement[]): readonly Requirement[] {
  const elsewhere = missing.includes("LOCATION_ALLOWED");
  return elsewhere ? [...REQUIREMENTS, "LOCATION_ALLOWED"] : REQUIREMENTS;
}

/** What cannot be judged before something else is known. */
const RESTS_ON: Readonly<Partial<Record<Requirement, Requirement>>> = {
  COUNTRY_ALLOWED: "COUNTRY",
  AGE: "BIRTH_DATE",
};

/** What is not there yet: what is missing, and what rests on it. */
export function requirementsLeft(missing: readonly Requirement[]): ReadonlySet<Requirement> {
  return new Set(
    requirementsShown(missing).filter((each) => {
      const ground = RESTS_ON[each];
      return missing.includes(each) || (ground !== undefined && missing.includes(ground));
    }),
  );
}
