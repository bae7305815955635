import type { Order } from "@veritick/client";
import { inject, provide, shallowRef, type InjectionKey, type ShallowRef } from "vue";

const key: InjectionKey<ShallowRef<Order | undefined>> = Symbol("receipt sheet");

/** Makes room, in a page, for one receipt at a time. */
export function provideReceiptSheet(): ShallowRef<Order | undefined> {
  const order = shallowRef<Order>();
  provide(key, order);
  return order;
}

/** Opens the receipt of a closed order. */
export function useReceiptSheet(): (order: Order) => void {
  const shown = inject(key);
  if (shown === undefined) throw new Error("this page has no room for a receipt");
  return (order) => (shown.value = order);
}
