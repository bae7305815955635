import { Failure, type Order } from "@veritick/client";
import { ref, watch, type Ref } from "vue";
import { useTexts } from "@/messages";
import { useAccounts } from "@/stores/accounts";
import { useConnection } from "@/stores/connection";
import { useDoubts, type Doubt } from "@/stores/doubts";
import { useNotices } from "@/stores/notices";
import { useOrders } from "@/stores/orders";
import { useFailureText } from "./useFailureText";
import { usePurchaseNotices } from "./usePurchaseNotices";

/** Clears up what became of orders whose answer was lost; the returned function asks now. */
export function useClarification(): {
  readonly busy: Readonly<Ref<boolean>>;
  readonly clarify: (doubt: Doubt) => Promise<void>;
} {
  const accounts = useAccounts();
  const doubts = useDoubts();
  const orders = useOrders();
  const connection = useConnection();
  const notices = useNotices();
  const failureText = useFailureText();
  const { tell } = usePurchaseNotices();
  const { t } = useTexts();
  const busy = ref(false);

  function settle(answer: Order | "never"): void {
    if (answer === "never") {
      notices.tell("neutral", t("doubt.never"), t("doubt.neverText"));
    } else {
      orders.take(answer);
      tell({ kind: "late", order: answer });
    }
  }

  async function clarify(doubt: Doubt): Promise<void> {
    busy.value = true;
    try {
      const answer = await doubts.ask(doubt);
      if (answer === undefined) notices.tell("neutral", t("doubt.open"), t("doubt.openText"));
      else settle(answer);
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure;
      notices.tell("bad", t("doubt.unanswered"), failureText(failure));
    } finally {
      busy.value = false;
    }
  }

  /** Nobody waits for this answer, so none is no news. */
  async function askQuietly(doubt: Doubt): Promise<void> {
    try {
      const answer = await doubts.ask(doubt);
      if (answer !== undefined) settle(answer);
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure;
    }
  }

  /** With the connection comes the time to ask by itself, about what was left open before. */
  watch(
    () => connection.open && accounts.account !== undefined,
    async (possible) => {
      if (!possible) return;
      for (const doubt of doubts.doubts) await askQuietly(doubt);
    },
    { immediate: true },
  );

  /** The events of the account may tell first. */
  watch([() => orders.open, () => orders.closed], (lists) => {
    for (const doubt of doubts.doubts) {
      const { requestId } = doubt.request;
      const order = lists.flat().find((each) => each.requestId === requestId);
      if (order === undefined) continue;
      doubts.forget(doubt);
      settle(order);
    }
  });
  return { busy, clarify };
}
