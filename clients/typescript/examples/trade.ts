/**
 * A program that trades: it signs up, buys Up on the price it sees, waits until the server has
 * settled the order, and checks the receipt by itself.
 *
 *     node examples/trade.ts http://127.0.0.1:8080
 */
import {
  checkReceipt,
  connect,
  Failure,
  money,
  newRequestId,
  untilAnswered,
  untilClosed,
  type PlaceOrderRequest,
  type Receipt,
  type Tick,
} from "@veritick/client";

const INSTRUMENT = "BTCUSD";
const [url = "http://127.0.0.1:8080"] = process.argv.slice(2);
const email = `${newRequestId()}@example.com`;

const platform = await connect(url, { email, password: "a long walk by the sea", register: true });
const { client, stream, clock } = platform;

/** The next price of an instrument. */
function nextTick(instrument: string): Promise<Tick> {
  return new Promise((resolve) => {
    const end = stream.subscribe(`ticks:${instrument}`, {
      message: ({ type, data }) => {
        const tick = type === "ticks.v1" ? data.ticks.at(-1) : undefined;
        if (tick === undefined) return;
        end();
        resolve(tick);
      },
    });
  });
}

/** The demo account, which may appear a moment after registration. */
async function demoAccount(): Promise<string> {
  for (;;) {
    const account = (await client.listAccounts()).find(({ book }) => book === "DEMO");
    if (account !== undefined) return account.accountId;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** The receipt, which is issued a moment after the close. */
function receiptOf(orderId: string): Promise<Receipt> {
  return client.getReceipt(orderId).catch(async (error: unknown) => {
    if (!(error instanceof Failure) || error.reason !== "RECEIPT_NOT_FOUND") throw error;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return receiptOf(orderId);
  });
}

try {
  const accountId = await demoAccount();
  const seen = await nextTick(INSTRUMENT);
  console.log(`seen    ${seen.price.mantissa} (scale ${seen.price.scale}) at ${seen.time}`);

  // One id and one deadline for all attempts: however often it is sent, it is bought at most once.
  const request: PlaceOrderRequest = {
    requestId: newRequestId(),
    instrument: INSTRUMENT,
    direction: "UP",
    stake: money(100n, "USD"),
    durationSeconds: 5,
    validUntil: new Date(clock.now() + 4_000).toISOString(),
  };
  const order = await untilAnswered(() => client.placeOrder(accountId, request));
  console.log(`bought  ${order.orderId} until ${order.expireTime}`);

  const closed = await untilClosed(platform, order);
  console.log(`closed  ${closed.outcome}, ${closed.returned?.minorUnits ?? "0"} cents returned`);

  const { price, outcome, amounts, hash } = await checkReceipt(await receiptOf(order.orderId));
  console.log(`receipt ${price && outcome && amounts && hash ? "holds" : "does not hold"}`);
} finally {
  stream.stop();
}
