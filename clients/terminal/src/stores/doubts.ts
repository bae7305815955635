import type { Order, PlaceOrderRequest } from "@veritick/client";
import { defineStore } from "pinia";
import { computed } from "vue";
import { usePlatform } from "@/platform";
import { useAccounts } from "./accounts";
import { remembered } from "./remembered";

/** An order that was sent, and of which it is not known whether it was bought. */
export interface Doubt {
  readonly accountId: string;
  readonly request: PlaceOrderRequest;
}

const MOST = 20;
/** What no list shows so long after its deadline was not bought, and never will be. */
const CERTAIN_AFTER_MS = 5_000;

/** Orders whose answer was lost for good. This browser keeps them until they are cleared up. */
export const useDoubts = defineStore("doubts", () => {
  const { client, clock } = usePlatform();
  const accounts = useAccounts();
  const kept = remembered<readonly Doubt[]>("doubts", []);
  /** Those of the account that trades now. */
  const doubts = computed(() =>
    kept.value.filter(({ accountId }) => accountId === accounts.account?.accountId),
  );

  function add(doubt: Doubt): void {
    kept.value = [doubt, ...kept.value].slice(0, MOST);
  }

  function forget(doubt: Doubt): void {
    const { requestId } = doubt.request;
    kept.value = kept.value.filter(({ request }) => request.requestId !== requestId);
  }

  /**
   * Asks what became of it: the order, `never` when it was not bought and will not be, or
   * `undefined` while that is open. What is known is no doubt any more. Throws `Failure`.
   */
  async function ask(doubt: Doubt): Promise<Order | "never" | undefined> {
    const { requestId, validUntil = "" } = doubt.request;
    const over = Date.parse(validUntil) + CERTAIN_AFTER_MS < clock.now();
    const query = { filter: `requestId=${requestId}`, pageSize: 1 };
    const [order] = (await client.listOrders(doubt.accountId, query)).orders;
    const answer = order ?? (over ? ("never" as const) : undefined);
    if (answer !== undefined) forget(doubt);
    return answer;
  }

  return { doubts, add, ask, forget };
});
