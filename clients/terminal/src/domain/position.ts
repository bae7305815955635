import { mantissa, minorUnits, profitOnWin, type Order, type Tick } from "@veritick/client";

/** How an open order would close if this were the price at its expiry. */
export type Standing = "WINNING" | "LOSING" | "EVEN" | "UNKNOWN";

export function standing(order: Order, tick: Tick | undefined): Standing {
  if (tick === undefined) return "UNKNOWN";
  const [now, entry] = [mantissa(tick.price), mantissa(order.entryTick.price)];
  if (now === entry) return "EVEN";
  return now > entry === (order.direction === "UP") ? "WINNING" : "LOSING";
}

/** What came back less what was paid, in minor units; `undefined` while open. */
export function profit(order: Order): bigint | undefined {
  if (order.state !== "CLOSED" || order.returned === undefined) return undefined;
  return minorUnits(order.returned) - minorUnits(order.stake);
}

/** What a win returns: stake and profit, in minor units. */
export function returnOnWin(stake: bigint, payoutBp: number): bigint {
  return stake + profitOnWin(stake, payoutBp);
}

/** How much of an order's life has passed, 0 to 1. */
export function progress(order: Order, now: number): number {
  const open = Date.parse(order.openTime);
  const life = Date.parse(order.expireTime) - open;
  return life <= 0 ? 1 : Math.min(1, Math.max(0, (now - open) / life));
}

/** Orders closed longest ago last; of one moment, the later opened first. */
export function byCloseTime(left: Order, right: Order): number {
  const difference = Date.parse(right.closeTime ?? "") - Date.parse(left.closeTime ?? "");
  return difference !== 0 ? difference : right.orderId.localeCompare(left.orderId);
}

/** Orders that expire first, first. */
export function byExpiry(left: Order, right: Order): number {
  const difference = Date.parse(left.expireTime) - Date.parse(right.expireTime);
  return difference !== 0 ? difference : left.orderId.localeCompare(right.orderId);
}
