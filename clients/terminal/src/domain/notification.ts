import type { Instrument, OpenSession, Order, Terms } from "@veritick/client";

/** What a trader may want to hear of. */
export type Happening =
  | { readonly kind: "closed"; readonly order: Order }
  | {
      readonly kind: "payout";
      readonly symbol: string;
      readonly before: number;
      readonly after: number;
    }
  | { readonly kind: "opened"; readonly symbol: string }
  | {
      readonly kind: "signIn";
      readonly sessionId: string;
      readonly device: string;
      readonly address: string;
    };

/** What can be switched off by itself. */
export const KINDS = [
  "closed",
  "payout",
  "opened",
  "signIn",
] as const satisfies readonly Happening["kind"][];

/** Something that happened, kept. `time` is when, in milliseconds since the epoch. */
export type Notification = Happening & { readonly id: string; readonly time: number };

/** The same happening is told once, however often it is heard of. */
export function identify(happening: Happening, time: number): Notification {
  return { ...happening, id: `${happening.kind} ${subjectOf(happening, time)}`, time };
}

/** What happens once only, or what may happen again at another time. */
function subjectOf(happening: Happening, time: number): string {
  switch (happening.kind) {
    case "closed":
      return happening.order.orderId;
    case "signIn":
      return happening.sessionId;
    case "payout":
    case "opened":
      return `${happening.symbol} ${time}`;
  }
}

/** The sessions that began elsewhere after a moment, in milliseconds since the epoch. */
export function signInsSince(
  sessions: readonly OpenSession[],
  since: number,
): { readonly happening: Extract<Happening, { kind: "signIn" }>; readonly time: number }[] {
  return sessions
    .filter(({ current, createTime }) => !current && Date.parse(createTime) > since)
    .map(({ sessionId, deviceName: device, address, createTime }) => ({
      happening: { kind: "signIn", sessionId, device, address },
      time: Date.parse(createTime),
    }));
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

/** The markets that have been closed, until they are open: their first price may be long to come. */
export function closedUntilOpen(
  before: ReadonlySet<string>,
  instruments: readonly Instrument[],
): ReadonlySet<string> {
  const closed = instruments.filter(
    ({ symbol, marketStatus }) =>
      marketStatus === "CLOSED" || (before.has(symbol) && marketStatus !== "OPEN"),
  );
  return new Set(closed.map(({ symbol }) => symbol));
}

/** The markets that had been closed and now are open, of some instruments. */
export function openings(
  closed: ReadonlySet<string>,
  instruments: readonly Instrument[],
  symbols: readonly string[],
): Extract<Happening, { kind: "opened" }>[] {
  return instruments
    .filter(({ symbol, marketStatus }) => {
      return symbols.includes(symbol) && marketStatus === "OPEN" && closed.has(symbol);
    })
    .map(({ symbol }) => ({ kind: "opened", symbol }));
}
