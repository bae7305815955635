import type { Instrument, Order, Terms } from "@veritick/client";

/** What a trader may want to hear of. */
export type Happening =
  | { readonly kind: "closed"; readonly order: Order }
  | {
      readonly kind: "payout";
      readonly symbol: string;
      readonly before: number;
      readonly after: number;
    }
  | { readonly kind: "opened"; readonly symbol: string };

/** What can be switched off by itself. */
export const KINDS = ["closed", "payout", "opened"] as const satisfies readonly Happening["kind"][];

/** Something that happened, kept. `time` is when, in milliseconds since the epoch. */
export type Notification = Happening & { readonly id: string; readonly time: number };

/** The same happening is told once, however often it is heard of. */
export function identify(happening: Happening, time: number): Notification {
  const what = happening.kind === "closed" ? happening.order.orderId : happening.symbol;
  const when = happening.kind === "closed" ? "" : ` ${time}`;
  return { ...happening, id: `${happening.kind} ${what}${when}`, time };
}

/** The kept ones with one more on top, at most so many. */
export function withNotification(
  kept: readonly Notification[],
  added: Notification,
  most: number,
): readonly Notification[] {
  if (kept.some(({ id }) => id === added.id)) return kept;
  return [added, ...kept].sort((left, right) => right.time - left.time).slice(0, most);
}

/** The payouts that changed between two states of the terms, of some instruments. */
export function payoutChanges(
  before: ReadonlyMap<string, number>,
  terms: ReadonlyMap<string, Terms>,
  symbols: readonly string[],
): Extract<Happening, { kind: "payout" }>[] {
  return symbols.flatMap((symbol) => {
    const [was, is] = [before.get(symbol), terms.get(symbol)?.payoutBp];
    if (was === undefined || is === undefined || was === is) return [];
    return [{ kind: "payout" as const, symbol, before: was, after: is }];
  });
}

/** The markets that were closed and now are open, of some instruments. */
export function openings(
  before: ReadonlyMap<string, string>,
  instruments: readonly Instrument[],
  symbols: readonly string[],
): Extract<Happening, { kind: "opened" }>[] {
  return instruments
    .filter(({ symbol, marketStatus }) => {
      return symbols.includes(symbol) && marketStatus === "OPEN" && before.get(symbol) === "CLOSED";
    })
    .map(({ symbol }) => ({ kind: "opened", symbol }));
}
