import { checkReceipt, type Receipt, type ReceiptCheck } from "@veritick/client";
import { shallowRef, watch, type Ref } from "vue";

export interface ReceiptVerdict {
  /** What the browser found; absent before it was asked. */
  readonly check: Readonly<Ref<ReceiptCheck | undefined>>;
  /** Whether this page may hash at all. */
  readonly possible: boolean;
  readonly verify: () => Promise<void>;
}

/** Checks a receipt in this browser when asked to; another receipt is another question. */
export function useReceiptCheck(receipt: () => Receipt): ReceiptVerdict {
  const check = shallowRef<ReceiptCheck>();

  async function verify(): Promise<void> {
    const asked = receipt();
    const found = await checkReceipt(asked);
    if (asked === receipt()) check.value = found;
  }

  watch(receipt, () => (check.value = undefined));
  return { check, possible: window.isSecureContext, verify };
}
