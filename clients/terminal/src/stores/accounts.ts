import { newRequestId, untilAnswered, type Account, type StreamMessage } from "@veritick/client";
import { defineStore } from "pinia";
import { computed, ref, shallowRef } from "vue";
import { usePlatform } from "@/platform";
import { usePreferences } from "./preferences";

/** The user's accounts, and the one that trades now. */
export const useAccounts = defineStore("accounts", () => {
  const { client } = usePlatform();
  const accounts = shallowRef<readonly Account[]>([]);
  const preferences = usePreferences();
  const currentId = ref("");
  const refilling = ref(false);
  let changes = 0;

  const account = computed(() => accounts.value.find((each) => each.accountId === currentId.value));
  const book = computed(() => currentId.value.split("_")[0] ?? "");

  /** Reads all accounts; the one chosen last becomes current, else the first: the demo one. */
  async function load(): Promise<void> {
    accounts.value = await client.listAccounts();
    if (account.value !== undefined) return;
    const known = accounts.value.find(({ accountId }) => accountId === preferences.accountId);
    currentId.value = (known ?? accounts.value[0])?.accountId ?? "";
  }

  /** Makes another account the one that trades. */
  function choose(accountId: string): void {
    currentId.value = accountId;
    preferences.accountId = accountId;
  }

  /** Reads the current account, again if it changed while the answer was on its way. */
  async function reload(): Promise<void> {
    const before = changes;
    const answer = await client.getAccount(currentId.value);
    if (before === changes) take(answer);
    else await reload();
  }

  /** Takes an account as an event or answer shows it. */
  function take(changed: Account): void {
    accounts.value = accounts.value.map((each) =>
      each.accountId === changed.accountId ? changed : each,
    );
  }

  function takeEvent({ type, data }: StreamMessage): void {
    if (type !== "balance.changed.v1") return;
    changes += 1;
    take((data as { account: Account }).account);
  }

  /** Fills the demo account up. Throws `Failure`. */
  async function refill(): Promise<void> {
    const [accountId, requestId] = [currentId.value, newRequestId()];
    refilling.value = true;
    try {
      await untilAnswered(() => client.refillDemoAccount(accountId, requestId));
      await reload();
    } finally {
      refilling.value = false;
    }
  }

  function close(): void {
    accounts.value = [];
    currentId.value = "";
  }

  return { accounts, account, book, refilling, load, choose, reload, takeEvent, refill, close };
});
