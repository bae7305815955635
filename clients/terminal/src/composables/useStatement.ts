import type { Download, Entry, EntryKind } from "@veritick/client";
import { usePages, type Pages } from "@veritick/ui";
import { computed, ref, type ComputedRef, type Ref } from "vue";
import { usePlatform } from "@/platform";
import { useRecordScope, type RecordScope } from "./useRecordScope";

const PAGE = 50;

export interface Statement {
  readonly scope: RecordScope;
  /** Empty for any. */
  readonly kind: Ref<EntryKind | "">;
  readonly narrowed: ComputedRef<boolean>;
  readonly pages: Pages<Entry>;
  /** All that is listed, as a file. */
  readonly download: () => Promise<Download>;
}

/** Every movement of an account, newest first, page by page. */
export function useStatement(): Statement {
  const { client } = usePlatform();
  const scope = useRecordScope();
  const { accountId, moments } = scope;
  const kind = ref<EntryKind | "">("");
  const filter = computed(() => (kind.value === "" ? undefined : `kind=${kind.value}`));

  const pages = usePages<Entry>([filter, moments, accountId], async (pageToken) => {
    if (accountId.value === "") return { items: [], nextPageToken: "" };
    const asked = { filter: filter.value, ...moments.value, pageSize: PAGE, pageToken };
    const page = await client.listEntries(accountId.value, asked);
    return { items: page.entries, nextPageToken: page.nextPageToken };
  });

  return {
    scope,
    kind,
    narrowed: computed(() => kind.value !== "" || scope.narrowed.value),
    pages,
    download: () =>
      client.exportEntries(accountId.value, { filter: filter.value, ...moments.value }),
  };
}
