import {
  currencyDigits,
  Failure,
  minorUnits,
  money,
  parseDecimal,
  profitOnWin,
  type Direction,
  type Money,
  type Order,
  type Price,
  type Scaled,
} from "@veritick/client";
import { computed, type ComputedRef, type Ref } from "vue";
import { amountText } from "@/domain/number";
import {
  breakEvenBp,
  durationPresets,
  obstacle,
  steppedDuration,
  steppedStake,
  type Obstacle,
} from "@/domain/orderForm";
import { returnOnWin } from "@/domain/position";
import { useAccounts } from "@/stores/accounts";
import { useConnection } from "@/stores/connection";
import { useMarket } from "@/stores/market";
import { usePreferences, type PriceProtection } from "@/stores/preferences";
import { usePurchase } from "./usePurchase";

const QUICK_AMOUNTS = [1n, 5n, 10n, 25n, 50n, 100n, 250n];

export interface OrderForm {
  readonly stakeText: Ref<string>;
  readonly durationSeconds: Ref<number>;
  readonly currencyCode: ComputedRef<string>;
  readonly payoutBp: ComputedRef<number | undefined>;
  /** The share of wins, in basis points, from which on trading so pays. */
  readonly breakEvenBp: ComputedRef<number | undefined>;
  readonly profit: ComputedRef<Money | undefined>;
  readonly returned: ComputedRef<Money | undefined>;
  readonly expireTime: ComputedRef<number>;
  readonly quickAmounts: ComputedRef<string[]>;
  readonly presets: ComputedRef<number[]>;
  readonly obstacle: ComputedRef<Obstacle | undefined>;
  /** The direction that is being sent. */
  readonly sending: Readonly<Ref<Direction | undefined>>;
  stepStake(way: 1 | -1): void;
  stakeAll(): void;
  stepDuration(way: 1 | -1): void;
  /** Buys; `undefined` when another purchase is on its way. Throws `Failure`. */
  buy(direction: Direction): Promise<Order | undefined>;
}

/** The order being prepared: what it would cost and return, and whether it can be sent. */
export function useOrderForm(): OrderForm {
  const accounts = useAccounts();
  const market = useMarket();
  const purchase = usePurchase();
  const connection = useConnection();
  const preferences = usePreferences();

  const currencyCode = computed(() => accounts.account?.currencyCode ?? "USD");
  const terms = computed(() => market.terms.get(preferences.symbol));
  const stake = computed(() =>
    parseDecimal(preferences.stakeText, currencyDigits(currencyCode.value)),
  );
  const payoutBp = computed(() => terms.value?.payoutBp);
  const stands = computed(() =>
    obstacle({
      connected: connection.open,
      account: accounts.account,
      instrument: market.instrument,
      terms: terms.value,
      stake: stake.value,
      durationSeconds: preferences.durationSeconds,
      tickAge: market.tickAge,
      now: connection.now,
    }),
  );

  function ifPriced(amount: (stake: Scaled, payoutBp: number) => Scaled): Money | undefined {
    if (stake.value === undefined || payoutBp.value === undefined) return undefined;
    return money(amount(stake.value, payoutBp.value), currencyCode.value);
  }

  function setStake(minor: Scaled): void {
    preferences.stakeText = amountText(minor, currencyCode.value);
  }

  function stepStake(way: 1 | -1): void {
    if (terms.value === undefined) return;
    const [min, max] = [minorUnits(terms.value.stakeMin), minorUnits(terms.value.stakeMax)];
    const unit = 10n ** BigInt(currencyDigits(currencyCode.value));
    setStake(steppedStake(stake.value ?? min, way, { min, max, unit }));
  }

  function stakeAll(): void {
    if (terms.value === undefined || accounts.account === undefined) return;
    const [max, available] = [
      minorUnits(terms.value.stakeMax),
      minorUnits(accounts.account.available),
    ];
    setStake(available < max ? available : max);
  }

  async function buy(direction: Direction): Promise<Order | undefined> {
    const [account, price] = [accounts.account, payoutBp.value];
    if (account === undefined || stake.value === undefined || price === undefined) {
      throw new Failure({ reason: "INVALID_REQUEST" });
    }
    return await purchase.send(account.accountId, {
      instrument: preferences.symbol,
      direction,
      stake: money(stake.value, account.currencyCode),
      durationSeconds: preferences.durationSeconds,
      payoutBp: price,
      ...protection(preferences.priceProtection, market.quote?.tick.price),
    });
  }

  return {
    stakeText: computed({
      get: () => preferences.stakeText,
      set: (text) => (preferences.stakeText = text),
    }),
    durationSeconds: computed({
      get: () => preferences.durationSeconds,
      set: (seconds) => (preferences.durationSeconds = seconds),
    }),
    currencyCode,
    payoutBp,
    breakEvenBp: computed(() => payoutBp.value && breakEvenBp(payoutBp.value)),
    profit: computed(() => ifPriced(profitOnWin)),
    returned: computed(() => ifPriced(returnOnWin)),
    expireTime: computed(
      () => Math.ceil(connection.now / 1000 + preferences.durationSeconds) * 1000,
    ),
    quickAmounts: computed(() => QUICK_AMOUNTS.map(String)),
    presets: computed(() => durationPresets(terms.value)),
    obstacle: stands,
    sending: purchase.sending,
    stepStake,
    stakeAll,
    stepDuration: (way) => {
      preferences.durationSeconds = steppedDuration(preferences.durationSeconds, way, terms.value);
    },
    buy,
  };
}

/** The price on the screen at this moment, where it is to be the worst. */
function protection(wish: PriceProtection, seen: Price | undefined): { entryPriceLimit?: Price } {
  return wish === "strict" && seen !== undefined ? { entryPriceLimit: seen } : {};
}
