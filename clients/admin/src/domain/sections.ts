import type { GlyphName } from "@veritick/ui";

/** A part of the app that the navigation leads to, for whoever has one of these permissions. */
export interface Section {
  readonly name: "users" | "approvals" | "kyc" | "flags" | "roles" | "audit";
  readonly glyph: GlyphName;
  readonly permissions: readonly string[];
}

export const SECTIONS: readonly Section[] = [
  { name: "users", glyph: "user", permissions: ["users.read"] },
  { name: "approvals", glyph: "check", permissions: ["roles.read", "ledger.read", "audit.read"] },
  { name: "kyc", glyph: "receipt", permissions: ["kyc.review"] },
  { name: "flags", glyph: "warning", permissions: ["fraud.review"] },
  { name: "roles", glyph: "settings", permissions: ["roles.read"] },
  { name: "audit", glyph: "history", permissions: ["audit.read"] },
];
