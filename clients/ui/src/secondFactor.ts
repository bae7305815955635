/** What is said about the second factor, each by its own name. */
export const SECOND_FACTOR_TEXTS = [
  "factor",
  "factorNote",
  "on",
  "off",
  "setUp",
  "turnOff",
  "turnOffTitle",
  "turnOffText",
  "totpTitle",
  "totpText",
  "totpSecret",
  "totpCode",
  "totpOn",
  "totpIsOff",
  "qr",
  "recoveryCodes",
  "recoveryText",
  "renewCodes",
  "download",
  "kept",
] as const;

/** The same in the language of an app, with the words of the buttons that are everywhere. */
export type SecondFactorTexts = Readonly<
  Record<(typeof SECOND_FACTOR_TEXTS)[number] | "copy" | "copied" | "cancel", string>
>;
