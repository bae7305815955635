import type { DocumentRejection, DocumentState } from "@veritick/client";

/** Why a reviewer can reject a document. */
export const REJECTIONS = [
  "UNREADABLE",
  "WRONG_KIND",
  "OUT_OF_DATE",
  "MISMATCH",
  "FORGED",
] as const satisfies readonly DocumentRejection[];

export const DOCUMENT_TONES: Readonly<Record<DocumentState, "good" | "bad" | "warn" | "neutral">> =
  {
    STATE_UNSPECIFIED: "neutral",
    UPLOADING: "neutral",
    UPLOADED: "warn",
    IN_REVIEW: "warn",
    APPROVED: "good",
    REJECTED: "bad",
    EXPIRED: "bad",
  };

/** A size as people read it: `512 B`, `1.4 MB`. */
export function sizeText(bytes: number): string {
  const units = ["B", "kB", "MB"];
  let size = bytes;
  let unit = 0;
  while (size >= 1_000 && unit < units.length - 1) {
    size /= 1_000;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit] ?? ""}`;
}
