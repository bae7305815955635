import { Failure, type Order, type Receipt } from "@veritick/client";
import { onScopeDispose, ref, shallowRef, watch, type Ref } from "vue";
import { usePlatform } from "@/platform";

/** A receipt follows the close within moments; so long it is asked for again. */
const PAUSES_MS = [250, 500, 1_000, 2_000, 4_000];

export interface ReceiptView {
  readonly receipt: Readonly<Ref<Receipt | undefined>>;
  readonly failure: Readonly<Ref<Failure | undefined>>;
  readonly again: () => void;
}

/** The receipt of an order, as soon as it has been issued. */
export function useReceipt(order: Readonly<Ref<Order | undefined>>): ReceiptView {
  const { client } = usePlatform();
  const receipt = shallowRef<Receipt>();
  const failure = shallowRef<Failure>();
  const round = ref(0);

  async function ask(orderId: string, asked: number): Promise<void> {
    for (const pause of [...PAUSES_MS, undefined]) {
      try {
        const answer = await client.getReceipt(orderId);
        if (asked === round.value) receipt.value = answer;
        return;
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        if (asked !== round.value) return;
        if (error.reason !== "RECEIPT_NOT_FOUND" || pause === undefined) {
          failure.value = error;
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  function again(): void {
    round.value += 1;
    receipt.value = undefined;
    failure.value = undefined;
    if (order.value !== undefined) void ask(order.value.orderId, round.value);
  }

  watch(() => order.value?.orderId, again, { immediate: true });
  onScopeDispose(() => (round.value += 1));
  return { receipt, failure, again };
}
