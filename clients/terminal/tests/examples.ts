import type { Account, Instrument, Order, Receipt, Terms, Tick } from "@veritick/client";
import { usd } from "../../ui/tests/examples";

export { usd };

/** A tick of EURUSD at five decimals: `tickAt(1.12146)`. */
export function tickAt(price: number, more: Partial<Tick> = {}): Tick {
  return {
    instrument: "EURUSD",
    number: "100",
    price: { mantissa: String(Math.round(price * 100_000)), scale: 5 },
    time: "2026-11-23T18:30:00.250000Z",
    late: false,
    ...more,
  };
}

export function order(more: Partial<Order> = {}): Order {
  return {
    orderId: "demo_1",
    accountId: "demo_0",
    requestId: "r",
    instrument: "EURUSD",
    direction: "UP",
    stake: usd(10),
    payoutBp: 8500,
    state: "OPEN",
    entryTick: tickAt(1.12),
    openTime: "2026-11-23T18:30:00Z",
    expireTime: "2026-11-23T18:30:10Z",
    termsVersion: "1",
    ...more,
  };
}

export function instrument(more: Partial<Instrument> = {}): Instrument {
  return {
    symbol: "EURUSD",
    displayName: "EUR/USD",
    assetClass: "FX",
    priceScale: 5,
    status: "ENABLED",
    feedSymbol: "EURUSD",
    maxTickAgeSeconds: 5,
    feedSilenceMaxSeconds: 5,
    version: "1",
    marketStatus: "OPEN",
    sessions: [{}],
    position: 1,
    ...more,
  };
}

export function terms(more: Partial<Terms> = {}): Terms {
  return {
    instrument: "EURUSD",
    payoutBp: 8500,
    stakeMin: usd(1),
    stakeMax: usd(1000),
    durationSecondsMin: 5,
    durationSecondsMax: 3600,
    version: "1",
    expiryGridMinutes: [],
    expiryCutoffSeconds: 30,
    payoutFixedBp: 8500,
    payoutMinBp: 6500,
    payoutMaxBp: 9000,
    openOrdersMax: 200,
    ...more,
  };
}

export function account(more: Partial<Account> = {}): Account {
  return {
    accountId: "demo_0",
    book: "DEMO",
    currencyCode: "USD",
    posted: usd(100),
    held: usd(0),
    available: usd(100),
    state: "OPEN",
    openOrders: 0,
    ...more,
  };
}

/** A receipt of an order that expired between the ticks 102 and 103. */
export function receipt(more: Partial<Receipt> = {}): Receipt {
  const [first, decisive, later] = [
    tickAt(1.1201, { number: "101" }),
    tickAt(1.1205, { number: "102" }),
    tickAt(1.1199, { number: "103" }),
  ];
  return {
    orderId: "demo_1",
    instrument: "EURUSD",
    direction: "UP",
    stake: usd(10),
    payoutBp: 8500,
    termsVersion: "1",
    openTime: "2026-11-23T18:30:00Z",
    expireTime: "2026-11-23T18:30:10Z",
    closeTime: "2026-11-23T18:30:10.100Z",
    entryTick: tickAt(1.12),
    fixing: {
      instrument: "EURUSD",
      time: "2026-11-23T18:30:10Z",
      state: "FINAL",
      tick: decisive,
      ticksBefore: [first, decisive],
      ticksAfter: [later],
      ruleVersion: 1,
    },
    outcome: "WIN",
    returned: usd(18.5),
    transferIds: [],
    ruleVersion: 1,
    sequence: "1",
    previousHash: "0",
    hash: "1",
    ...more,
  };
}
