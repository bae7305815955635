import type { Entry, EntryKind } from "@veritick/client";
import type { Ref } from "vue";
import { usePlatform } from "@/platform";
import { useAccounts } from "@/stores/accounts";
import { usePages, type Pages } from "./usePages";

const PAGE = 50;

/** Every movement of the current account, newest first, page by page; all kinds or one. */
export function useStatement(kind: Readonly<Ref<EntryKind | "">>): Pages<Entry> {
  const { client } = usePlatform();
  const accounts = useAccounts();
  const accountId = (): string | undefined => accounts.account?.accountId;

  return usePages<Entry>([kind, accountId], async (pageToken) => {
    const account = accountId();
    if (account === undefined) return { items: [], nextPageToken: "" };
    const filter = kind.value === "" ? undefined : `kind=${kind.value}`;
    const page = await client.listEntries(account, { filter, pageSize: PAGE, pageToken });
    return { items: page.entries, nextPageToken: page.nextPageToken };
  });
}
