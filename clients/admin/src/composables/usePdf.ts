import { ref, shallowRef, watch, type Ref, type ShallowRef } from "vue";
import { openPdf, type Pdf } from "~/pdf";

export interface ShownPdf {
  /** None while it is being opened, and none that has failed. */
  readonly pdf: Readonly<ShallowRef<Pdf | undefined>>;
  readonly failed: Readonly<Ref<boolean>>;
  /** Gives up on it: a page could not be drawn. */
  readonly fail: () => void;
}

/** A PDF that is open for as long as it is looked at. */
export function usePdf(content: () => Blob): ShownPdf {
  const pdf = shallowRef<Pdf>();
  const failed = ref(false);

  function close(): void {
    void pdf.value?.close();
    pdf.value = undefined;
  }

  function fail(): void {
    failed.value = true;
    close();
  }

  watch(
    content,
    async (file, _before, onCleanup) => {
      const left = new AbortController();
      onCleanup(() => {
        left.abort();
        close();
      });
      failed.value = false;
      // Whatever stands in the way, the reader's answer is the same: the file can be saved.
      const opened = await openPdf(file).catch(() => undefined);
      if (left.signal.aborted) void opened?.close();
      else if (opened === undefined) fail();
      else pdf.value = opened;
    },
    { immediate: true },
  );
  return { pdf, failed, fail };
}
