import type { KycDocument, KycDocumentKind, KycDocumentState } from "@veritick/client";

/** What the platform asks for, each proven by a document of its own. */
export const DOCUMENT_KINDS = ["IDENTITY", "ADDRESS"] as const satisfies readonly KycDocumentKind[];
export type DocumentKind = (typeof DOCUMENT_KINDS)[number];

/** What the platform opens; the server judges by what is in a file, not by its name. */
export const MEDIA_TYPES = ["image/jpeg", "image/png", "application/pdf"] as const;
export const FILE_BYTES_MAX = 8 * 1024 * 1024;

/** What is plainly wrong with a file, before it is sent. */
export type FileProblem = "empty" | "tooLarge" | "wrongType";

export function fileProblem({ size, type }: Pick<File, "size" | "type">): FileProblem | undefined {
  if (size === 0) return "empty";
  if (size > FILE_BYTES_MAX) return "tooLarge";
  return (MEDIA_TYPES as readonly string[]).includes(type) ? undefined : "wrongType";
}

/** The states in which a document is on its way or counts, so that no other one is needed. */
const ENOUGH: ReadonlySet<KycDocumentState> = new Set<KycDocumentState>([
  "UPLOADED",
  "IN_REVIEW",
  "APPROVED",
]);

/** The documents of a kind, newest first, and what stands out of them. */
export interface Dossier {
  readonly documents: readonly KycDocument[];
  /** The newest that tells how things stand; one still being sent does not. */
  readonly latest: KycDocument | undefined;
  /** The newest whose upload is not complete. */
  readonly unfinished: KycDocument | undefined;
  /** Whether another one may be handed in. */
  readonly wanted: boolean;
}

export function dossier(documents: readonly KycDocument[], kind: DocumentKind): Dossier {
  const all = documents.filter((each) => each.kind === kind);
  const handedIn = all.filter(({ state }) => state !== "UPLOADING");
  return {
    documents: handedIn,
    latest: handedIn[0],
    unfinished: all.find(({ state }) => state === "UPLOADING"),
    wanted: !handedIn.some(({ state }) => ENOUGH.has(state)),
  };
}
