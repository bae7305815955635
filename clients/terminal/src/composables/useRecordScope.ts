import type { Account } from "@veritick/client";
import { computed, ref, watch, type ComputedRef, type Ref } from "vue";
import { momentsOf } from "@/domain/period";
import { useAccounts } from "@/stores/accounts";

/** Whose records are shown, and from which days. */
export interface RecordScope {
  readonly accountId: Ref<string>;
  readonly account: ComputedRef<Account | undefined>;
  readonly from: Ref<string>;
  readonly to: Ref<string>;
  readonly moments: ComputedRef<{ start?: string; end?: string }>;
  readonly narrowed: ComputedRef<boolean>;
}

/** The records of the account that trades now, of all time, until others are chosen. */
export function useRecordScope(): RecordScope {
  const accounts = useAccounts();
  const accountId = ref("");
  const [from, to] = [ref(""), ref("")];

  watch(
    () => accounts.account?.accountId,
    (current) => (accountId.value = current ?? ""),
    { immediate: true },
  );
  return {
    accountId,
    account: computed(() => accounts.accounts.find((each) => each.accountId === accountId.value)),
    from,
    to,
    moments: computed(() => momentsOf({ from: from.value, to: to.value })),
    narrowed: computed(() => from.value !== "" || to.value !== ""),
  };
}
