import type { Direction, Order } from "@veritick/client";
import { ref, type Ref } from "vue";
import { useOrders, type Choice } from "@/stores/orders";

/** The second click of a double click comes within this, and buys nothing. */
const DOUBLE_CLICK_MS = 400;

export interface Purchase {
  /** The direction that is being sent. */
  readonly sending: Readonly<Ref<Direction | undefined>>;
  /** Buys; `undefined` while another purchase is on its way. Throws `Failure`. */
  readonly send: (accountId: string, choice: Choice) => Promise<Order | undefined>;
}

/** One purchase at a time. */
export function usePurchase(): Purchase {
  const orders = useOrders();
  const sending = ref<Direction>();

  async function send(accountId: string, choice: Choice): Promise<Order | undefined> {
    if (sending.value !== undefined) return undefined;
    sending.value = choice.direction;
    const calm = new Promise((resolve) => setTimeout(resolve, DOUBLE_CLICK_MS));
    try {
      return await orders.place(accountId, choice);
    } finally {
      void calm.then(() => (sending.value = undefined));
    }
  }

  return { sending, send };
}
