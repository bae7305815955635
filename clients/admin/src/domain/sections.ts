import type { GlyphName } from "@veritick/ui";

export type SectionName =
  | "users"
  | "approvals"
  | "kyc"
  | "flags"
  | "clusters"
  | "roles"
  | "audit"
  | "mailbox"
  | "maintenance";

/** A part of the app that the navigation leads to, for whoever has one of these permissions. */
export interface Section {
  readonly name: SectionName;
  readonly glyph: GlyphName;
  readonly permissions: readonly string[];
}

export const SECTIONS: readonly Section[] = [
  { name: "users", glyph: "user", permissions: ["users.read"] },
  { name: "approvals", glyph: "check", permissions: ["roles.read", "ledger.read", "audit.read"] },
  { name: "kyc", glyph: "receipt", permissions: ["kyc.review"] },
  { name: "flags", glyph: "warning", permissions: ["fraud.review"] },
  { name: "clusters", glyph: "links", permissions: ["fraud.review"] },
  { name: "roles", glyph: "settings", permissions: ["roles.read"] },
  { name: "audit", glyph: "history", permissions: ["audit.read"] },
  { name: "mailbox", glyph: "mail", permissions: ["mails.read"] },
  { name: "maintenance", glyph: "pause", permissions: ["maintenance.write"] },
];
