import { minorUnits, money, type Account, type EventData, type Money } from "@veritick/client";
import { onScopeDispose, shallowRef, watch, type Ref } from "vue";
import { profit } from "@/domain/position";
import { persist } from "@veritick/ui/persist";
import { usePlatform } from "@/platform";
import { useAccounts } from "@/stores/accounts";
import { useUserEvents } from "@/stores/userEvents";

/** More orders of one sitting than this are not summed up. */
const ORDERS_MAX = 500;

type Due = EventData["reality.check.due.v1"];

/** What a reality check says. */
export interface RealityCheck {
  readonly seconds: number;
  readonly orders: number;
  readonly stakes: Money;
  readonly result: Money;
}

/** Says, when the platform does, how long the user has been at it, and with what result. */
export function useRealityCheck(): {
  readonly check: Readonly<Ref<RealityCheck | undefined>>;
  readonly dismiss: () => void;
} {
  const { client } = usePlatform();
  const accounts = useAccounts();
  const due = shallowRef<Due>();
  const check = shallowRef<RealityCheck>();
  let giveUp = (): void => undefined;

  onScopeDispose(
    useUserEvents().on("reality.check.due.v1", (told) => {
      due.value = told;
    }),
  );
  onScopeDispose(() => {
    giveUp();
  });

  watch(
    () => (due.value === undefined ? undefined : accounts.account),
    (account) => {
      if (account === undefined || due.value === undefined) return;
      const told = due.value;
      due.value = undefined;
      giveUp();
      giveUp = persist(async () => {
        check.value = await takeStock(account, told);
      });
    },
  );

  async function takeStock(
    { accountId, currencyCode }: Account,
    { sinceTime = "", time = "" }: Due,
  ): Promise<RealityCheck> {
    const since = Date.parse(sinceTime);
    const query = { filter: "state=CLOSED", pageSize: ORDERS_MAX };
    const { orders } = await client.listOrders(accountId, query);
    const mine = orders.filter(({ closeTime = "" }) => Date.parse(closeTime) >= since);
    const sum = (amounts: readonly bigint[]): Money =>
      money(
        amounts.reduce((total, each) => total + each, 0n),
        currencyCode,
      );
    return {
      seconds: Math.round((Date.parse(time) - since) / 60_000) * 60,
      orders: mine.length,
      stakes: sum(mine.map(({ stake }) => minorUnits(stake))),
      result: sum(mine.map((order) => profit(order) ?? 0n)),
    };
  }

  return {
    check,
    dismiss: () => (check.value = undefined),
  };
}
