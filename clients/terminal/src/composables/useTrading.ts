import { Failure } from "@veritick/client";
import { onScopeDispose, shallowRef, watch, type Ref } from "vue";
import { persist } from "@veritick/ui/persist";
import { usePlatform } from "@/platform";
import { useAccounts } from "@/stores/accounts";
import { useMarket } from "@/stores/market";
import { useOrders } from "@/stores/orders";
import { useProtection } from "@/stores/protection";
import { useSession } from "@/stores/session";
import { useUserEvents } from "@/stores/userEvents";

/**
 * Opens everything that the signed-in pages stand on, and closes it with them.
 *
 * A new user's account may appear a moment after registration, so an empty list is asked again.
 */
export function useTrading(): { failure: Readonly<Ref<Failure | undefined>> } {
  const { stream } = usePlatform();
  const accounts = useAccounts();
  const market = useMarket();
  const orders = useOrders();
  const events = useUserEvents();
  const protection = useProtection();
  const session = useSession();
  const failure = shallowRef<Failure>();

  async function begin(): Promise<void> {
    await accounts.load();
    if (accounts.account === undefined) throw new Failure({ reason: "UNAVAILABLE" });
  }

  /** Orders, terms and payouts are those of one account and its book. */
  watch(
    () => accounts.account?.accountId,
    (accountId) => {
      if (accountId === undefined) return;
      orders.follow(accountId);
      market.open(accounts.book);
    },
  );

  stream.start();
  events.follow(session.user?.userId ?? "");
  protection.open();
  const giveUp = persist(begin, (now) => (failure.value = now));
  onScopeDispose(() => {
    giveUp();
    protection.close();
    events.close();
    orders.close();
    market.close();
    accounts.close();
    stream.stop();
  });
  return { failure };
}
