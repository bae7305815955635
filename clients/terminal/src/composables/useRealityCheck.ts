import { minorUnits, money, type Account, type Money } from "@veritick/client";
import { computed, onScopeDispose, ref, shallowRef, watch, type Ref } from "vue";
import { profit } from "@/domain/position";
import { persist } from "@veritick/ui/persist";
import { checksDue, continued, type Sitting } from "@/domain/sitting";
import { usePlatform } from "@/platform";
import { useAccounts } from "@/stores/accounts";
import { useConnection } from "@/stores/connection";
import { useProtection } from "@/stores/protection";
import { remembered } from "@/stores/remembered";
import { useSession } from "@/stores/session";

/** More orders of one sitting than this are not summed up. */
const ORDERS_MAX = 500;

/** What a reality check says. */
export interface RealityCheck {
  readonly seconds: number;
  readonly orders: number;
  readonly stakes: Money;
  readonly result: Money;
}

/** Speaks up when the user has been at it for as long as he wanted to be told. */
export function useRealityCheck(): {
  readonly check: Readonly<Ref<RealityCheck | undefined>>;
  readonly dismiss: () => void;
} {
  const { client } = usePlatform();
  const accounts = useAccounts();
  const connection = useConnection();
  const protection = useProtection();
  const owner = useSession().user?.userId ?? "";
  const kept = remembered<Sitting | undefined>(`sitting.${owner}`, undefined);
  const sitting = ref(continued(kept.value, connection.now));
  kept.value = sitting.value;
  const check = shallowRef<RealityCheck>();
  let giveUp = (): void => undefined;

  const minutes = computed(() => protection.protection?.realityCheckMinutes ?? 0);
  const due = computed(() => checksDue(sitting.value, minutes.value, connection.now));
  const beat = setInterval(() => {
    kept.value = sitting.value = continued(sitting.value, connection.now);
  }, 10_000);
  onScopeDispose(() => {
    clearInterval(beat);
    giveUp();
  });

  watch(
    () => (due.value > sitting.value.told ? accounts.account : undefined),
    (account) => {
      if (account === undefined) return;
      sitting.value = { ...sitting.value, told: due.value };
      giveUp();
      giveUp = persist(async () => {
        check.value = await takeStock(account, sitting.value.since);
      });
    },
    { immediate: true },
  );

  async function takeStock(
    { accountId, currencyCode }: Account,
    since: number,
  ): Promise<RealityCheck> {
    const query = { filter: "state=CLOSED", pageSize: ORDERS_MAX };
    const { orders } = await client.listOrders(accountId, query);
    const mine = orders.filter(({ closeTime = "" }) => Date.parse(closeTime) >= since);
    const sum = (amounts: readonly bigint[]): Money =>
      money(
        amounts.reduce((total, each) => total + each, 0n),
        currencyCode,
      );
    return {
      seconds: Math.round((connection.now - since) / 60_000) * 60,
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
