/** Parts without a domain, shared by the apps; the theme is `@veritick/ui/theme.css`. */
export { default as ActionButton } from "./components/ActionButton.vue";
export { default as BrandMark } from "./components/BrandMark.vue";
export { default as CheckField } from "./components/CheckField.vue";
export { default as CodeField } from "./components/CodeField.vue";
export { default as ConfirmDialog } from "./components/ConfirmDialog.vue";
export { default as CopyButton } from "./components/CopyButton.vue";
export { default as DateField } from "./components/DateField.vue";
export { default as GlyphIcon } from "./components/GlyphIcon.vue";
export { default as IdentityDialog } from "./components/IdentityDialog.vue";
export { default as ModalDialog } from "./components/ModalDialog.vue";
export { default as NoticeList } from "./components/NoticeList.vue";
export { default as PanelCard } from "./components/PanelCard.vue";
export { default as SecondFactorCard } from "./components/SecondFactorCard.vue";
export { default as SelectField } from "./components/SelectField.vue";
export { default as SideSheet } from "./components/SideSheet.vue";
export { default as StateBadge } from "./components/StateBadge.vue";
export { default as TextField } from "./components/TextField.vue";
export {
  noticeBoard,
  type Notice,
  type NoticeBoard,
  type NoticeTone,
} from "./composables/noticeBoard";
export { useActionWith, type Action, type Manners } from "./composables/useActionWith";
export { useLoaded, type Loaded } from "./composables/useLoaded";
export { useMediaQuery } from "./composables/useMediaQuery";
export { usePages, type ListPage, type Pages } from "./composables/usePages";
export { useSubmission, type Submission } from "./composables/useSubmission";
export { keepConfirmation, NotConfirmed, type Confirmation } from "./confirmation";
export { connectPage, type PageConnection } from "./connection";
export { dataAddress, keepFile } from "./files";
export type { GlyphName } from "./glyphs";
export { makePasskey, passkeysPossible } from "./passkey";
export { SECOND_FACTOR_TEXTS, type SecondFactorTexts } from "./secondFactor";
export { keepSession, type KeptSession, type SignedOut } from "./session";
