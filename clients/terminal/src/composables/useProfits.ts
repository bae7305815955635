import type { DailyProfit, Failure } from "@veritick/client";
import { computed, onScopeDispose, ref, shallowRef, watch, type ComputedRef, type Ref } from "vue";
import { dayAfter, utcDayText, type Period } from "@/domain/period";
import { persist } from "@veritick/ui/persist";
import { usePlatform } from "@/platform";
import { useConnection } from "@/stores/connection";
import { useOrders } from "@/stores/orders";
import { useRecordScope, type RecordScope } from "./useRecordScope";

/** The spans offered, in days up to today. */
export const SPANS = [7, 30, 90, 365] as const;

const PAGE = 500;
/** More rows than a year of fifty instruments has are not read. */
const PAGES_MAX = 40;

export interface Profits {
  readonly scope: Pick<RecordScope, "accountId" | "account">;
  readonly span: Ref<number>;
  /** Days in UTC, both included. */
  readonly period: ComputedRef<Period>;
  /** Absent until they have been read. */
  readonly profits: Readonly<Ref<readonly DailyProfit[] | undefined>>;
  readonly failure: Readonly<Ref<Failure | undefined>>;
}

/** What an account won and lost by day and instrument, and again whenever an order closes. */
export function useProfits(): Profits {
  const { client } = usePlatform();
  const connection = useConnection();
  const orders = useOrders();
  const scope = useRecordScope();
  const span = ref<number>(30);
  const profits = shallowRef<readonly DailyProfit[]>();
  const failure = shallowRef<Failure>();
  let giveUp = (): void => undefined;

  const today = computed(() => utcDayText(connection.now));
  const period = computed(() => ({
    from: dayAfter(today.value, 1 - span.value),
    to: today.value,
  }));

  async function read(): Promise<void> {
    const asked = [scope.accountId.value, period.value] as const;
    const found = asked[0] === "" ? undefined : await readAll(...asked);
    if (asked[0] === scope.accountId.value && asked[1] === period.value) profits.value = found;
  }

  async function readAll(accountId: string, { from }: Period): Promise<DailyProfit[]> {
    const found: DailyProfit[] = [];
    let pageToken: string | undefined;
    for (let page = 0; page < PAGES_MAX; page += 1) {
      const query = { start: from, pageSize: PAGE, pageToken };
      const answer = await client.listDailyProfits(accountId, query);
      found.push(...answer.dailyProfits);
      if (answer.nextPageToken === "") break;
      pageToken = answer.nextPageToken;
    }
    return found;
  }

  function load(): void {
    giveUp();
    giveUp = persist(read, (now) => (failure.value = now));
  }

  watch([scope.accountId, () => period.value.from, () => period.value.to], load, {
    immediate: true,
  });
  onScopeDispose(orders.onClose(load));
  onScopeDispose(() => {
    giveUp();
  });
  return { scope, span, period, profits, failure };
}
