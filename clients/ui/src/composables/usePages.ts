import { Failure } from "@veritick/client";
import { ref, shallowRef, watch, type Ref, type WatchSource } from "vue";

/** A page, and where the next one begins; empty at the end. */
export interface ListPage<Item> {
  readonly items: readonly Item[];
  readonly nextPageToken: string;
}

export interface Pages<Item> {
  readonly items: Ref<readonly Item[]>;
  readonly loading: Readonly<Ref<boolean>>;
  readonly failure: Readonly<Ref<Failure | undefined>>;
  readonly more: Readonly<Ref<boolean>>;
  readonly next: () => Promise<void>;
}

/** A list read page by page, from the beginning again whenever `question` changes. */
export function usePages<Item>(
  question: readonly WatchSource[],
  read: (pageToken: string | undefined) => Promise<ListPage<Item>>,
): Pages<Item> {
  const items = shallowRef<readonly Item[]>([]);
  const loading = ref(false);
  const failure = shallowRef<Failure>();
  const more = ref(false);
  let pageToken = "";
  let round = 0;

  async function next(): Promise<void> {
    const asked = round;
    loading.value = true;
    failure.value = undefined;
    try {
      const page = await read(pageToken === "" ? undefined : pageToken);
      if (asked !== round) return;
      items.value = [...items.value, ...page.items];
      pageToken = page.nextPageToken;
      more.value = pageToken !== "";
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (asked === round) failure.value = error;
    } finally {
      if (asked === round) loading.value = false;
    }
  }

  function restart(): void {
    round += 1;
    items.value = [];
    pageToken = "";
    more.value = false;
    void next();
  }

  watch([...question], restart, { immediate: true });
  return { items, loading, failure, more, next };
}
