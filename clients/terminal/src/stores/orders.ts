import {
  Failure,
  newRequestId,
  untilAnswered,
  type Direction,
  type Money,
  type Order,
  type PlaceOrderRequest,
  type Price,
  type StreamMessage,
} from "@veritick/client";
import { defineStore } from "pinia";
import { computed, shallowReactive } from "vue";
import type { Expiry } from "@/domain/expiry";
import { byCloseTime, byExpiry } from "@/domain/position";
import { persist } from "@veritick/ui/persist";
import { usePlatform } from "@/platform";
import { useAccounts } from "./accounts";

/** What the trader chose and saw when pressing the button. */
export interface Choice {
  readonly instrument: string;
  readonly direction: Direction;
  readonly stake: Money;
  readonly expiry: Expiry;
  readonly payoutBp: number;
  /** The worst entry price to take; absent for any. */
  readonly entryPriceLimit?: Price;
}

type CloseListener = (order: Order) => void;

/** How long after the press an order may still open. */
const VALID_FOR_MS = 4_000;
/** An order settles well within this after its expiry. */
const OVERDUE_AFTER_MS = 5_000;
/** How many closed orders this page keeps; the history page shows all. */
const CLOSED_MAX = 50;

/** The current account's open orders and those that closed last. */
export const useOrders = defineStore("orders", () => {
  const { client, stream, clock } = usePlatform();
  const accounts = useAccounts();
  const known = shallowReactive(new Map<string, Order>());
  const closeListeners = new Set<CloseListener>();
  let end: () => void = () => undefined;
  let giveUp: () => void = () => undefined;
  let watchman: ReturnType<typeof setInterval> | undefined;

  const open = computed(() =>
    [...known.values()].filter(({ state }) => state === "OPEN").sort(byExpiry),
  );
  const closed = computed(() =>
    [...known.values()]
      .filter(({ state }) => state === "CLOSED")
      .sort(byCloseTime)
      .slice(0, CLOSED_MAX),
  );

  /** Follows an account until `close`; the past is read once its events are being delivered. */
  function follow(accountId: string): void {
    close();
    watchman = setInterval(() => {
      askForOverdue(accountId);
    }, OVERDUE_AFTER_MS);
    end = stream.subscribe(`account:${accountId}`, {
      message: takeEvent,
      ready: () => {
        load(accountId);
      },
      gap: () => {
        load(accountId);
      },
    });
  }

  function close(): void {
    giveUp();
    end();
    clearInterval(watchman);
    known.clear();
  }

  /** Events are delivery, not truth: an order that should have closed is asked for. */
  function askForOverdue(accountId: string): void {
    const overdue = clock.now() - OVERDUE_AFTER_MS;
    if (open.value.some(({ expireTime }) => Date.parse(expireTime) < overdue)) load(accountId);
  }

  function load(accountId: string): void {
    giveUp();
    giveUp = persist(() => read(accountId));
  }

  async function read(accountId: string): Promise<void> {
    const [opened, latest] = await Promise.all([
      client.listOrders(accountId, { filter: "state=OPEN", pageSize: 500 }),
      client.listOrders(accountId, { filter: "state=CLOSED", pageSize: CLOSED_MAX }),
      accounts.reload(),
    ]);
    for (const order of [...opened.orders, ...latest.orders]) take(order);
  }

  /** Takes an order as an event or answer shows it; one that closed never opens again. */
  function take(order: Order): void {
    if (order.accountId !== accounts.account?.accountId) return;
    const before = known.get(order.orderId)?.state;
    if (before === "CLOSED") return;
    known.set(order.orderId, order);
    if (before === "OPEN" && order.state === "CLOSED") {
      for (const tell of closeListeners) tell(order);
    }
  }

  function takeEvent(message: StreamMessage): void {
    accounts.takeEvent(message);
    if (message.type.startsWith("order.")) take((message.data as { order: Order }).order);
  }

  /** Tells every order that closes from now on. */
  function onClose(listener: CloseListener): () => void {
    closeListeners.add(listener);
    return () => closeListeners.delete(listener);
  }

  /** What was chosen as a request, whose id and deadline every attempt carries. */
  function requestOf(choice: Choice): PlaceOrderRequest {
    return {
      requestId: newRequestId(),
      instrument: choice.instrument,
      direction: choice.direction,
      stake: choice.stake,
      ...("clockTime" in choice.expiry
        ? { expireTime: new Date(choice.expiry.clockTime).toISOString() }
        : choice.expiry),
      validUntil: new Date(clock.now() + VALID_FOR_MS).toISOString(),
      minPayoutBp: choice.payoutBp,
      ...(choice.entryPriceLimit && { entryPriceLimit: choice.entryPriceLimit }),
    };
  }

  /**
   * Buys at most once: an answer lost on its way is asked for again by the same request.
   * `unanswered` hears of every attempt after which it is not known what happened. Throws `Failure`.
   */
  async function place(
    accountId: string,
    request: PlaceOrderRequest,
    unanswered: () => void,
  ): Promise<Order> {
    const order = await untilAnswered(() => attempt(accountId, request, unanswered));
    take(order);
    return order;
  }

  async function attempt(
    accountId: string,
    request: PlaceOrderRequest,
    unanswered: () => void,
  ): Promise<Order> {
    try {
      return await client.placeOrder(accountId, request);
    } catch (error) {
      if (error instanceof Failure && error.leavesUnknown) unanswered();
      throw error;
    }
  }

  return { open, closed, follow, close, take, onClose, requestOf, place };
});
