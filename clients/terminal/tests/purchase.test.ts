import type { Order, PlaceOrderRequest } from "@veritick/client";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { usePurchase, type Purchase, type Purchased } from "@/composables/usePurchase";
import { useDoubts } from "@/stores/doubts";
import { useOrders, type Choice } from "@/stores/orders";
import { account, order, usd } from "./examples";
import { enter, memory, refusal, stage, type Stage } from "./stage";

const CHOICE: Choice = {
  instrument: "EURUSD",
  direction: "UP",
  stake: usd(10),
  expiry: { durationSeconds: 10 },
  payoutBp: 8500,
};
const LOST = new TypeError("Failed to fetch");

/** What the platform does with each attempt, in turn; the last goes on for ever. */
type Attempt = (request: PlaceOrderRequest) => Response | Error | Promise<Response>;

let attempts: Attempt[];
let sent: PlaceOrderRequest[];
let listed: Order[];
let questions: string[];
let scene: Stage;
let purchase: Purchase;

async function answer(url: string, init: RequestInit): Promise<Response> {
  if (init.method === "GET") {
    if (url.endsWith("/accounts")) return Response.json({ accounts: [account()] });
    questions.push(new URL(url, "http://here").searchParams.get("filter") ?? "");
    return Response.json({ orders: listed, nextPageToken: "" });
  }
  const request = JSON.parse(init.body as string) as PlaceOrderRequest;
  sent.push(request);
  const next = attempts.length > 1 ? attempts.shift() : attempts[0];
  const found = await next?.(request);
  if (found instanceof Response) return found;
  throw found ?? LOST;
}

const bought: Attempt = ({ requestId }) => Response.json(order({ requestId }));
const lost: Attempt = () => LOST;
const refused =
  (reason: string, status?: number): Attempt =>
  () =>
    refusal(reason, status);

async function begin(storage = memory()): Promise<void> {
  scene = stage(answer, storage);
  await enter(scene);
  purchase = scene.run(usePurchase);
}

/** Buys, and lets as much time pass as it takes. */
async function buy(): Promise<Purchased | undefined> {
  const sending = purchase.send("demo_0", CHOICE);
  await vi.advanceTimersByTimeAsync(60_000);
  return sending;
}

beforeEach(async () => {
  vi.useFakeTimers();
  attempts = [bought];
  sent = [];
  listed = [];
  questions = [];
  await begin();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("what is answered is bought, and among the open orders", async () => {
  expect(await buy()).toMatchObject({ kind: "bought" });
  expect(scene.run(useOrders).open).toHaveLength(1);
  expect(sent).toHaveLength(1);
});

test("while an answer is slow nothing else is sent, nor by the second half of a double click", async () => {
  attempts = [
    (request) =>
      new Promise((resolve) => {
        setTimeout(() => {
          resolve(Response.json(order({ requestId: request.requestId })));
        }, 3_000);
      }),
  ];
  const first = purchase.send("demo_0", CHOICE);
  await vi.advanceTimersByTimeAsync(2_999);
  expect(purchase.sending.value).toBe("UP");
  expect(await purchase.send("demo_0", CHOICE)).toBeUndefined();

  await vi.advanceTimersByTimeAsync(1);
  expect(await first).toMatchObject({ kind: "bought" });
  expect(purchase.sending.value).toBeUndefined();
  expect(sent).toHaveLength(1);

  attempts = [bought];
  const quick = purchase.send("demo_0", CHOICE);
  expect(await quick).toMatchObject({ kind: "bought" });
  expect(await purchase.send("demo_0", CHOICE)).toBeUndefined();
});

test("a lost reply is asked for again by the same request, and bought once", async () => {
  attempts = [lost, refused("OUTCOME_UNKNOWN", 503), bought];
  const sending = purchase.send("demo_0", CHOICE);
  await vi.advanceTimersByTimeAsync(0);
  expect(purchase.unanswered.value).toBe(true);
  await vi.advanceTimersByTimeAsync(5_000);

  expect(await sending).toMatchObject({ kind: "late" });
  expect(purchase.unanswered.value).toBe(false);
  expect(sent).toHaveLength(3);
  expect(new Set(sent.map((each) => JSON.stringify(each))).size).toBe(1);
  expect(scene.run(useDoubts).doubts).toEqual([]);
});

test.each([
  ["at once", [refused("INSUFFICIENT_FUNDS")], "INSUFFICIENT_FUNDS"],
  ["after a lost reply", [lost, refused("VALID_UNTIL_PASSED")], "VALID_UNTIL_PASSED"],
  ["again and again, without a doubt", [refused("UNAVAILABLE", 503)], "UNAVAILABLE"],
])("what is refused %s is no doubt", async (_, answers, reason) => {
  attempts = answers;
  expect(await buy()).toMatchObject({ kind: "refused", failure: { reason } });
  expect(scene.run(useDoubts).doubts).toEqual([]);
});

describe("a reply that is lost for good", () => {
  beforeEach(() => {
    attempts = [lost];
  });

  test("stays a doubt, also when the page is loaded again", async () => {
    const storage = memory();
    await begin(storage);
    expect(await buy()).toMatchObject({ kind: "unknown" });
    await begin(storage);
    expect(scene.run(useDoubts).doubts.map(({ request }) => request)).toEqual([sent[0]]);
  });

  test("is cleared up by its request id once it is found", async () => {
    await buy();
    const doubts = scene.run(useDoubts);
    const [doubt] = doubts.doubts;
    const requestId = sent[0]?.requestId ?? "";
    listed = [order({ requestId })];

    expect(doubt && (await doubts.ask(doubt))).toEqual(listed[0]);
    expect(questions).toEqual([`requestId=${requestId}`]);
    expect(doubts.doubts).toEqual([]);
  });

  test("was never bought if nobody has it after its deadline", async () => {
    await buy();
    const doubts = scene.run(useDoubts);
    const [doubt] = doubts.doubts;
    expect(doubt && (await doubts.ask(doubt))).toBe("never");
    expect(doubts.doubts).toEqual([]);
  });

  test("is left open while it may still arrive", async () => {
    const doubts = scene.run(useDoubts);
    const request = { ...scene.run(useOrders).requestOf(CHOICE) };
    doubts.add({ accountId: "demo_0", request });
    const [doubt] = doubts.doubts;
    expect(doubt && (await doubts.ask(doubt))).toBeUndefined();
    expect(doubts.doubts).toHaveLength(1);
  });

  test("is another account's affair there", async () => {
    await buy();
    const doubts = scene.run(useDoubts);
    const [doubt] = doubts.doubts;
    if (doubt) doubts.add({ ...doubt, accountId: "demo_9" });
    expect(doubts.doubts).toHaveLength(1);
  });
});
