import type { OpenSession } from "@veritick/client";
import { expect, test } from "vitest";
import {
  closedUntilOpen,
  identify,
  openings,
  payoutChanges,
  signInsSince,
  withNotification,
} from "@/domain/notification";
import { useNotifications } from "@/stores/notifications";
import { usePreferences } from "@/stores/preferences";
import { instrument, order, terms } from "./examples";
import { stage } from "./stage";

const opened = (symbol: string, time: number): ReturnType<typeof identify> =>
  identify({ kind: "opened", symbol }, time);

test("the close of an order is told once, whenever it is heard of", () => {
  const first = identify({ kind: "closed", order: order() }, 1);
  const again = identify({ kind: "closed", order: order() }, 2);
  expect(withNotification([first], again, 5)).toEqual([first]);
});

test("the newest are kept, newest first", () => {
  const kept = [opened("A", 30), opened("B", 10)];
  const times = (most: number): number[] =>
    withNotification(kept, opened("C", 20), most).map(({ time }) => time);
  expect(times(5)).toEqual([30, 20, 10]);
  expect(times(2)).toEqual([30, 20]);
});

test.each([
  [8_500, 8_000, ["EURUSD"], 1],
  [8_500, 8_500, ["EURUSD"], 0],
  [undefined, 8_000, ["EURUSD"], 0],
  [8_500, 8_000, ["BTCUSD"], 0],
])("a payout of %s that is %i now, for who favours %j, is told %i times", (was, is, mine, told) => {
  const before = new Map(was === undefined ? [] : [["EURUSD", was]]);
  const now = new Map([["EURUSD", terms({ payoutBp: is })]]);
  expect(payoutChanges(before, now, mine)).toHaveLength(told);
});

test.each([
  [["CLOSED", "OPEN"], ["EURUSD"], 1],
  [["CLOSED", "STALE", "OPEN"], ["EURUSD"], 1],
  [["OPEN", "STALE", "OPEN"], ["EURUSD"], 0],
  [["CLOSED", "STALE"], ["EURUSD"], 0],
  [["CLOSED", "OPEN"], [], 0],
] as const)("a market that was %j in turn, for who favours %j, is told %i times", (...row) => {
  const [statuses, mine, told] = row;
  let closed: ReadonlySet<string> = new Set();
  const found = statuses.flatMap((marketStatus) => {
    const now = [instrument({ marketStatus })];
    const opened = openings(closed, now, mine);
    closed = closedUntilOpen(closed, now);
    return opened;
  });
  expect(found).toHaveLength(told);
});

test("a sign-in elsewhere is told once, and neither one's own nor an old one", () => {
  const session = (sessionId: string, second: number, current = false): OpenSession =>
    ({
      sessionId,
      deviceName: "Firefox on Linux",
      address: "203.0.113.7",
      current,
      createTime: new Date(second * 1000).toISOString(),
    }) as OpenSession;
  const sessions = [session("own", 30, true), session("new", 20), session("old", 10)];
  const told = signInsSince(sessions, 10_000);
  expect(told.map(({ happening }) => happening.sessionId)).toEqual(["new"]);
  const [{ happening, time }] = told as [(typeof told)[number]];
  const kept = [identify(happening, time)];
  expect(withNotification(kept, identify(happening, time + 1), 5)).toBe(kept);
});

test("what is switched off is neither kept nor told", () => {
  const scene = stage(() => Promise.reject(new TypeError("offline")));
  const notifications = scene.run(useNotifications);
  scene.run(usePreferences).muted = ["payout"];
  const change = { kind: "payout", symbol: "EURUSD", before: 1, after: 2 } as const;

  expect(notifications.add(change, 1)).toBe(false);
  expect(notifications.add({ kind: "opened", symbol: "EURUSD" }, 2)).toBe(true);
  expect(notifications.items.map(({ kind }) => kind)).toEqual(["opened"]);
});
