import type { AuditRecord } from "@veritick/client";

/** How long maintenance may be expected to last; an empty key where nobody knows. */
export const EXPECTATIONS = ["", "15", "30", "60", "120", "240", "480", "1440"] as const;

export type Expectation = (typeof EXPECTATIONS)[number];

/** When maintenance that lasts so many minutes from now is over, RFC 3339 in UTC. */
export function expectedEnd(minutes: Expectation, now: number): string | undefined {
  return minutes === "" ? undefined : new Date(now + Number(minutes) * 60_000).toISOString();
}

/** What somebody did to the switch, and what users were told. */
export interface Switching {
  readonly what: "began" | "changed" | "ended";
  readonly note: string;
}

/** What a record of the audit trail about maintenance tells. */
export function switchingOf({ before, after }: AuditRecord): Switching {
  const [was, is] = [told(before), told(after)];
  if (!is.active) return { what: "ended", note: "" };
  return { what: was.active ? "changed" : "began", note: is.note };
}

function told(json: string): { readonly active: boolean; readonly note: string } {
  if (json === "") return { active: false, note: "" };
  return JSON.parse(json) as { active: boolean; note: string };
}
