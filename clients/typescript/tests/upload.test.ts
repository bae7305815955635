import { beforeEach, expect, test } from "vitest";
import { Failure, type FailureReason } from "../src/failure.ts";
import type { KycDocument } from "../src/staffTypes.ts";
import { uploadDocument } from "../src/upload.ts";
import type { UserClient } from "../src/userClient.ts";

const PART = 512 * 1024;
const patience = { attempts: 3, pauseMilliseconds: 0, wait: () => Promise.resolve() };

/** A platform that has `received` bytes; each call fails by the reason due to it, if there is one. */
let received: number;
let state: KycDocument["state"];
let sent: number[];
let failing: (FailureReason | undefined)[];
let told: number[];

function answer(): Promise<KycDocument> {
  return Promise.resolve({ documentId: "d", state, received: String(received) } as KycDocument);
}

const client = {
  getDocument: answer,
  uploadDocumentPart: (_: string, offset: number, content: Blob) => {
    sent.push(offset);
    const reason = failing.shift();
    if (reason !== undefined) return Promise.reject(new Failure({ reason }));
    received = offset + content.size;
    return answer();
  },
  completeDocument: () => {
    const reason = failing.shift();
    // What is lost on the way back has happened.
    if (reason === "CONNECTION_LOST" || reason === undefined) state = "UPLOADED";
    return reason === undefined ? answer() : Promise.reject(new Failure({ reason }));
  },
} as unknown as UserClient;

function upload(size: number): Promise<KycDocument> {
  const file = new Blob([new Uint8Array(size)]);
  const tell = (bytes: number): void => void told.push(bytes);
  return uploadDocument(client, { documentId: "d" } as KycDocument, file, tell, patience);
}

beforeEach(() => {
  received = 0;
  state = "UPLOADING";
  [sent, failing, told] = [[], [], []];
});

test("a file goes in parts, in order, and is completed", async () => {
  expect((await upload(2 * PART + 5)).state).toBe("UPLOADED");
  expect(sent).toEqual([0, PART, 2 * PART]);
  expect(told).toEqual([0, PART, 2 * PART, 2 * PART + 5]);
});

test("what arrived on another day is not sent again", async () => {
  received = PART;
  await upload(PART + 5);
  expect(sent).toEqual([PART]);
});

test("a part without an answer is sent again", async () => {
  failing = ["CONNECTION_LOST"];
  await upload(PART);
  expect(sent).toEqual([0, 0]);
});

test("after a failure the same file goes on where the platform stands", async () => {
  failing = [undefined, "CONNECTION_LOST", "CONNECTION_LOST", "CONNECTION_LOST"];
  await expect(upload(2 * PART)).rejects.toMatchObject({ reason: "CONNECTION_LOST" });
  sent = [];
  expect((await upload(2 * PART)).state).toBe("UPLOADED");
  expect(sent).toEqual([PART]);
});

test("a completion whose answer was lost is found out about", async () => {
  failing = [undefined, "CONNECTION_LOST", "DOCUMENT_STATE_CONFLICT"];
  expect((await upload(PART)).state).toBe("UPLOADED");
});

test("a file that is refused is refused", async () => {
  failing = [undefined, "DOCUMENT_REFUSED"];
  await expect(upload(PART)).rejects.toMatchObject({ reason: "DOCUMENT_REFUSED" });
});
