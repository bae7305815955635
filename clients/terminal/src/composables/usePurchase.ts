import { Failure, type Direction, type Order } from "@veritick/client";
import { ref, type Ref } from "vue";
import { useDoubts } from "@/stores/doubts";
import { useOrders, type Choice } from "@/stores/orders";

/** The second click of a double click comes within this, and buys nothing. */
const DOUBLE_CLICK_MS = 400;

/**
 * What became of a purchase. `late` is bought as well, but only a repeated question told; what is
 * `unknown` stays among the doubts until it is cleared up.
 */
export type Purchased =
  | { readonly kind: "bought" | "late"; readonly order: Order }
  | { readonly kind: "refused" | "unknown"; readonly failure: Failure };

export interface Purchase {
  /** The direction that is being sent. */
  readonly sending: Readonly<Ref<Direction | undefined>>;
  /** Whether an answer is overdue, and the same order is being asked about again. */
  readonly unanswered: Readonly<Ref<boolean>>;
  /** Buys; `undefined` while another purchase is on its way. */
  readonly send: (accountId: string, choice: Choice) => Promise<Purchased | undefined>;
}

/** One purchase at a time. */
export function usePurchase(): Purchase {
  const orders = useOrders();
  const doubts = useDoubts();
  const sending = ref<Direction>();
  const unanswered = ref(false);

  async function send(accountId: string, choice: Choice): Promise<Purchased | undefined> {
    if (sending.value !== undefined) return undefined;
    sending.value = choice.direction;
    const calm = new Promise((resolve) => setTimeout(resolve, DOUBLE_CLICK_MS));
    try {
      return await outcome(accountId, choice);
    } finally {
      unanswered.value = false;
      void calm.then(() => (sending.value = undefined));
    }
  }

  async function outcome(accountId: string, choice: Choice): Promise<Purchased> {
    const request = orders.requestOf(choice);
    try {
      const order = await orders.place(accountId, request, () => (unanswered.value = true));
      return { kind: unanswered.value ? "late" : "bought", order };
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure;
      const unknown = unanswered.value && failure.worthRepeating;
      if (unknown) doubts.add({ accountId, request });
      return { kind: unknown ? "unknown" : "refused", failure };
    }
  }

  return { sending, unanswered, send };
}
