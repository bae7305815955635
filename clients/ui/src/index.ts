/** Parts without a domain, shared by the apps; the theme is `@veritick/ui/theme.css`. */
export { default as ActionButton } from "./components/ActionButton.vue";
export { default as GlyphIcon } from "./components/GlyphIcon.vue";
export { default as SideSheet } from "./components/SideSheet.vue";
export { default as TextField } from "./components/TextField.vue";
export type { GlyphName } from "./glyphs";
