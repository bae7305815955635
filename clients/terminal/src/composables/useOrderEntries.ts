import { Failure, type Entry, type Order } from "@veritick/client";
import { shallowRef, watch, type Ref } from "vue";
import { usePlatform } from "@/platform";

/** How an order moved money on its owner's account: absent until read, or where it cannot be. */
export function useOrderEntries(
  order: Readonly<Ref<Order | undefined>>,
): Readonly<Ref<readonly Entry[] | undefined>> {
  const { client } = usePlatform();
  const entries = shallowRef<readonly Entry[]>();

  async function read({ accountId, orderId, openTime }: Order): Promise<void> {
    try {
      const query = { filter: `orderId=${orderId}`, start: openTime };
      const page = await client.listEntries(accountId, query);
      if (order.value?.orderId === orderId) entries.value = page.entries.toReversed();
    } catch (error) {
      // The receipt stands without them.
      if (!(error instanceof Failure)) throw error;
    }
  }

  watch(
    () => order.value?.orderId,
    () => {
      entries.value = undefined;
      if (order.value !== undefined) void read(order.value);
    },
    { immediate: true },
  );
  return entries;
}
