import { Failure, uploadDocument, type KycDocument } from "@veritick/client";
import { ref, shallowRef, type Ref } from "vue";
import type { DocumentKind } from "@/domain/kyc";
import { usePlatform } from "@/platform";

export interface Upload {
  /** The file being sent, or whose sending broke off. */
  readonly file: Readonly<Ref<File | undefined>>;
  readonly running: Readonly<Ref<boolean>>;
  /** How many bytes the platform has. */
  readonly received: Readonly<Ref<number>>;
  readonly failure: Readonly<Ref<Failure | undefined>>;
  /** Whether the same file can go on where it broke off. */
  readonly resumable: Readonly<Ref<boolean>>;
  /** Sends a file as a new document, or as the rest of one that was begun. */
  readonly send: (file: File, begun?: KycDocument) => Promise<void>;
  readonly resume: () => Promise<void>;
}

/** Hands in a document of a kind; `done` hears of it when it waits for review. */
export function useUpload(kind: DocumentKind, done: () => void): Upload {
  const { own } = usePlatform();
  const file = shallowRef<File>();
  const document = shallowRef<KycDocument>();
  const running = ref(false);
  const received = ref(0);
  const failure = shallowRef<Failure>();
  const resumable = ref(false);

  async function send(chosen: File, begun?: KycDocument): Promise<void> {
    file.value = chosen;
    // A file of another size is another file: what was begun is left to be forgotten.
    document.value = Number(begun?.size) === chosen.size ? begun : undefined;
    await resume();
  }

  async function resume(): Promise<void> {
    const chosen = file.value;
    if (chosen === undefined || running.value) return;
    running.value = true;
    failure.value = undefined;
    try {
      document.value ??= await own.createDocument(kind, chosen.size);
      await uploadDocument(own, document.value, chosen, (bytes) => (received.value = bytes));
      forget();
      done();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      failure.value = error;
      resumable.value = error.worthRepeating;
      if (!error.worthRepeating) forget();
    } finally {
      running.value = false;
    }
  }

  function forget(): void {
    file.value = document.value = undefined;
    received.value = 0;
  }

  return { file, running, received, failure, resumable, send, resume };
}
