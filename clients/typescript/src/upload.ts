import { Failure } from "./failure.ts";
import { untilAnswered, type Patience } from "./retry.ts";
import type { KycDocument } from "./staffTypes.ts";
import type { UserClient } from "./userClient.ts";

const PART_BYTES = 512 * 1024;

/**
 * Sends what the platform does not have yet of a file, part by part, and completes the document.
 *
 * A part that got no answer is sent again. After a failure the same call goes on where the
 * platform stands, also on another day, with the same file. `tell` hears how many bytes it has.
 */
export async function uploadDocument(
  client: UserClient,
  { documentId }: KycDocument,
  file: Blob,
  tell: (received: number) => void,
  patience?: Patience,
): Promise<KycDocument> {
  const insist = <Answer>(work: () => Promise<Answer>): Promise<Answer> =>
    untilAnswered(work, patience);

  let document = await insist(() => client.getDocument(documentId));
  while (document.state === "UPLOADING" && Number(document.received) < file.size) {
    const received = Number(document.received);
    tell(received);
    const part = file.slice(received, received + PART_BYTES, "application/octet-stream");
    document = await insist(() => client.uploadDocumentPart(documentId, received, part));
  }
  tell(file.size);
  return document.state === "UPLOADING" ? complete(client, documentId, insist) : document;
}

/** Completes it; a lost answer may have been that it is complete, which a second call refuses. */
async function complete(
  client: UserClient,
  documentId: string,
  insist: typeof untilAnswered,
): Promise<KycDocument> {
  try {
    return await insist(() => client.completeDocument(documentId));
  } catch (error) {
    const settled = error instanceof Failure && error.reason === "DOCUMENT_STATE_CONFLICT";
    if (!settled) throw error;
    return await insist(() => client.getDocument(documentId));
  }
}
