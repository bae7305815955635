import type { GlyphName } from "@veritick/ui";

/** The pages by which users look after themselves. */
export const OWN_PAGES: readonly (readonly [name: string, glyph: GlyphName])[] = [
  ["profile", "user"],
  ["security", "key"],
  ["verification", "badge"],
  ["protection", "shield"],
  ["data", "download"],
];
