import {
  currencyDigits,
  minorUnits,
  money,
  parseDecimal,
  profitOnWin,
  type Direction,
  type Failure,
  type Money,
  type Price,
  type Scaled,
} from "@veritick/client";
import { computed, type ComputedRef, type Ref } from "vue";
import { amountText } from "@veritick/ui/number";
import { breakEvenBp, obstacle, steppedStake, type Obstacle } from "@/domain/orderForm";
import { returnOnWin } from "@/domain/position";
import { useAccounts } from "@/stores/accounts";
import { useConnection } from "@/stores/connection";
import { useExpiry } from "@/stores/expiry";
import { useMarket } from "@/stores/market";
import { usePreferences, type PriceProtection } from "@/stores/preferences";
import { useProtection } from "@/stores/protection";
import { usePurchase, type Purchase, type Purchased } from "./usePurchase";

const QUICK_AMOUNTS = [1n, 5n, 10n, 25n, 50n, 100n, 250n];

export interface OrderForm {
  readonly stakeText: Ref<string>;
  readonly currencyCode: ComputedRef<string>;
  readonly payoutBp: ComputedRef<number | undefined>;
  /** The share of wins, in basis points, from which on trading so pays. */
  readonly breakEvenBp: ComputedRef<number | undefined>;
  readonly profit: ComputedRef<Money | undefined>;
  readonly returned: ComputedRef<Money | undefined>;
  readonly quickAmounts: ComputedRef<string[]>;
  readonly obstacle: ComputedRef<Obstacle | undefined>;
  readonly purchase: Purchase;
  stepStake(way: 1 | -1): void;
  stakeAll(): void;
  /** Buys; `undefined` when another purchase is on its way, or nothing can be bought. */
  buy(direction: Direction): Promise<Purchased | undefined>;
}

/** The order being prepared: what it would cost and return, and whether it can be sent. */
export function useOrderForm(): OrderForm {
  const accounts = useAccounts();
  const market = useMarket();
  const purchase = usePurchase();
  const connection = useConnection();
  const expiry = useExpiry();
  const preferences = usePreferences();
  const protection = useProtection();

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
      closure: protection.closure,
      instrument: market.instrument,
      terms: terms.value,
      stake: stake.value,
      expiry: expiry.expiry,
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

  async function buy(direction: Direction): Promise<Purchased | undefined> {
    const [account, price, end] = [accounts.account, payoutBp.value, expiry.expiry];
    if (!account || stake.value === undefined || price === undefined || !end) return undefined;
    const purchased = await purchase.send(account.accountId, {
      instrument: preferences.symbol,
      direction,
      stake: money(stake.value, account.currencyCode),
      expiry: end,
      payoutBp: price,
      ...worstPrice(preferences.priceProtection, market.quote?.tick.price),
    });
    if (purchased?.kind === "refused") takePayout(preferences.symbol, purchased.failure);
    return purchased;
  }

  /** A refusal for the payout tells the new one, which may be ahead of the event about it. */
  function takePayout(symbol: string, { reason, metadata }: Failure): void {
    const known = market.terms.get(symbol);
    if (reason !== "PAYOUT_BELOW_LIMIT" || known === undefined) return;
    market.terms.set(symbol, { ...known, payoutBp: Number(metadata["payout_bp"]) });
  }

  return {
    stakeText: computed({
      get: () => preferences.stakeText,
      set: (text) => (preferences.stakeText = text),
    }),
    currencyCode,
    payoutBp,
    breakEvenBp: computed(() => payoutBp.value && breakEvenBp(payoutBp.value)),
    profit: computed(() => ifPriced(profitOnWin)),
    returned: computed(() => ifPriced(returnOnWin)),
    quickAmounts: computed(() => QUICK_AMOUNTS.map(String)),
    obstacle: stands,
    purchase,
    stepStake,
    stakeAll,
    buy,
  };
}

/** The price on the screen at this moment, where it is to be the worst. */
function worstPrice(wish: PriceProtection, seen: Price | undefined): { entryPriceLimit?: Price } {
  return wish === "strict" && seen !== undefined ? { entryPriceLimit: seen } : {};
}
