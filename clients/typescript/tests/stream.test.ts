import { beforeEach, describe, expect, test, vi } from "vitest";
import { reconnectDelay, Stream, type StreamMessage } from "../src/index.ts";

/** The server's end of one socket. */
class Socket {
  readyState = 1;
  readonly sent: Record<string, string>[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, string>);
  }

  close(): void {
    this.readyState = 3;
  }

  say(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  break(): void {
    this.readyState = 3;
    this.onclose?.();
  }

  get subscribed(): Record<string, string>[] {
    return this.sent.filter(({ op }) => op === "subscribe");
  }
}

const ACCOUNT = "account:demo_1";
let sockets: Socket[];
let stream: Stream;
let messages: StreamMessage[];

/** The newest socket, after its client was let in. */
async function letIn(): Promise<Socket> {
  await vi.advanceTimersByTimeAsync(0);
  const socket = sockets.at(-1);
  if (socket === undefined) throw new Error("nobody connected");
  socket.onopen?.();
  socket.say({ type: "authenticated", data: { userId: "u" } });
  return socket;
}

function event(sequence: number): object {
  return { channel: ACCOUNT, sequence: String(sequence), type: "order.opened.v1", data: {} };
}

beforeEach(() => {
  vi.useFakeTimers();
  sockets = [];
  messages = [];
  stream = new Stream({
    ticket: () => Promise.resolve({ ticket: `ticket ${sockets.length}`, url: "ws://stream" }),
    open: () => {
      const socket = new Socket();
      sockets.push(socket);
      return socket as unknown as WebSocket;
    },
    random: () => 0.5,
    now: () => Date.now(),
  });
  stream.start();
});

const collect = { message: (message: StreamMessage): void => void messages.push(message) };

describe("connecting", () => {
  test("presents a ticket first, and subscribes once it is accepted", async () => {
    stream.subscribe(ACCOUNT, collect);
    const socket = await letIn();
    expect(socket.sent).toEqual([
      { op: "authenticate", ticket: "ticket 0" },
      { op: "subscribe", channel: ACCOUNT },
    ]);
    expect(stream.state).toBe("open");
  });

  test("subscribes at once when the connection is there already, and once for all listeners", async () => {
    const socket = await letIn();
    stream.subscribe("ticks:BTCUSD", collect);
    const end = stream.subscribe("ticks:BTCUSD", { ...collect });
    expect(socket.subscribed).toHaveLength(1);
    end();
    expect(socket.sent.at(-1)).toEqual({ op: "subscribe", channel: "ticks:BTCUSD" });
  });

  test("unsubscribes when the last listener has gone", async () => {
    const socket = await letIn();
    stream.subscribe("ticks:BTCUSD", collect)();
    expect(socket.sent.at(-1)).toEqual({ op: "unsubscribe", channel: "ticks:BTCUSD" });
  });
});

describe("after the connection broke", () => {
  test("resumes a journal after the last sequence, and prices from now on", async () => {
    stream.subscribe(ACCOUNT, collect);
    stream.subscribe("ticks:BTCUSD", collect);
    const first = await letIn();
    first.say({ channel: ACCOUNT, sequence: "7", type: "subscribed" });
    first.say(event(8));
    first.say({ channel: "ticks:BTCUSD", sequence: "900", type: "ticks.v1", data: { ticks: [] } });
    first.break();
    expect(stream.state).toBe("waiting");
    await vi.advanceTimersByTimeAsync(200);
    const second = await letIn();
    expect(second.subscribed).toEqual([
      { op: "subscribe", channel: ACCOUNT, after: "8" },
      { op: "subscribe", channel: "ticks:BTCUSD" },
    ]);
  });

  test("shows no event twice", async () => {
    stream.subscribe(ACCOUNT, collect);
    const socket = await letIn();
    socket.say({ channel: ACCOUNT, sequence: "7", type: "subscribed" });
    for (const sequence of [8, 9, 8, 9, 10]) socket.say(event(sequence));
    expect(messages.map(({ sequence }) => sequence)).toEqual(["8", "9", "10"]);
  });

  test("waits longer each time, until it is let in", async () => {
    for (const delay of [187.5, 375, 750]) {
      await vi.advanceTimersByTimeAsync(0);
      const before = sockets.length;
      sockets.at(-1)?.break();
      await vi.advanceTimersByTimeAsync(delay - 1);
      expect(sockets).toHaveLength(before);
      await vi.advanceTimersByTimeAsync(1);
      expect(sockets).toHaveLength(before + 1);
    }
    const socket = await letIn();
    socket.break();
    await vi.advanceTimersByTimeAsync(187.5);
    expect(sockets).toHaveLength(5);
  });

  test("gives up a socket that says nothing", async () => {
    const socket = await letIn();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(socket.sent.filter(({ op }) => op === "ping")).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(stream.state).not.toBe("open");
    expect(socket.readyState).toBe(3);
  });
});

describe("what the server leaves out", () => {
  test.each([
    ["an event that does not follow", event(10)],
    [
      "a heartbeat that is ahead",
      {
        channel: ACCOUNT,
        sequence: "9",
        type: "heartbeat",
        data: { time: "1970-01-01T00:00:02Z" },
      },
    ],
  ])("%s makes it ask again for what is missing", async (_, sign) => {
    stream.subscribe(ACCOUNT, collect);
    const first = await letIn();
    first.say({ channel: ACCOUNT, sequence: "7", type: "subscribed" });
    first.say(event(8));
    first.say(sign);
    expect(messages.map(({ sequence }) => sequence)).toEqual(["8"]);
    expect(first.readyState).toBe(3);
    await vi.advanceTimersByTimeAsync(200);
    const second = await letIn();
    expect(second.subscribed).toEqual([{ op: "subscribe", channel: ACCOUNT, after: "8" }]);
    second.say({ channel: ACCOUNT, sequence: "10", type: "subscribed" });
    for (const sequence of [9, 10]) second.say(event(sequence));
    expect(messages.map(({ sequence }) => sequence)).toEqual(["8", "9", "10"]);
  });

  test("a heartbeat that tells of nothing new leaves it as it is", async () => {
    stream.subscribe(ACCOUNT, collect);
    const socket = await letIn();
    socket.say({ channel: ACCOUNT, sequence: "7", type: "subscribed" });
    socket.say({
      channel: ACCOUNT,
      sequence: "7",
      type: "heartbeat",
      data: { time: "1970-01-01T00:00:02Z" },
    });
    expect(stream.state).toBe("open");
    expect(sockets).toHaveLength(1);
  });
});

describe("at waking", () => {
  test("a socket that was silent meanwhile is not trusted", async () => {
    await letIn();
    vi.setSystemTime(Date.now() + 3_600_000);
    stream.wake();
    await vi.advanceTimersByTimeAsync(0);
    expect(sockets).toHaveLength(2);
  });

  test.each([
    ["that does not answer is replaced within half a second", false, 2],
    ["that answers is kept", true, 1],
  ])("a socket %s", async (_, answers, count) => {
    const socket = await letIn();
    await vi.advanceTimersByTimeAsync(1_000);
    stream.wake();
    expect(socket.sent.at(-1)).toEqual({ op: "ping" });
    if (answers) socket.say({ type: "pong", data: { time: "1970-01-01T00:00:01Z" } });
    await vi.advanceTimersByTimeAsync(500);
    expect(sockets).toHaveLength(count);
  });

  test("an attempt to connect that may be from before the sleep is made anew", async () => {
    await vi.advanceTimersByTimeAsync(0);
    stream.wake();
    await vi.advanceTimersByTimeAsync(0);
    expect(sockets).toHaveLength(1);
    vi.setSystemTime(Date.now() + 60_000);
    stream.wake();
    await vi.advanceTimersByTimeAsync(0);
    expect(sockets).toHaveLength(2);
  });
});

test("a gap is told, and what follows it is delivered", async () => {
  const gaps: string[] = [];
  stream.subscribe(ACCOUNT, { ...collect, gap: () => gaps.push("gap") });
  const socket = await letIn();
  socket.say({ channel: ACCOUNT, sequence: "7", type: "subscribed" });
  socket.say({ channel: ACCOUNT, sequence: "900", type: "gap", data: { after: "7" } });
  socket.say(event(901));
  expect(gaps).toEqual(["gap"]);
  expect(messages.map(({ sequence }) => sequence)).toEqual(["901"]);
});

test("a snapshot is shown although its sequence is the current one", async () => {
  stream.subscribe("ticks:BTCUSD", collect);
  const socket = await letIn();
  socket.say({ channel: "ticks:BTCUSD", sequence: "5", type: "subscribed" });
  socket.say({ channel: "ticks:BTCUSD", sequence: "5", type: "snapshot", data: { ticks: [] } });
  expect(messages.map(({ type }) => type)).toEqual(["snapshot"]);
});

test("a channel that could not be delivered is asked for again, ever less often", async () => {
  stream.subscribe(ACCOUNT, collect);
  const socket = await letIn();
  for (const [refusals, delay] of [187.5, 375, 750].entries()) {
    socket.say({ channel: ACCOUNT, type: "error", data: { reason: "UNAVAILABLE" } });
    await vi.advanceTimersByTimeAsync(delay - 1);
    expect(socket.subscribed).toHaveLength(refusals + 1);
    await vi.advanceTimersByTimeAsync(1);
    expect(socket.subscribed).toHaveLength(refusals + 2);
  }
});

test("the server's clock is told from heartbeats and pongs", async () => {
  const times: number[] = [];
  stream.onServerTime((time) => times.push(time));
  const socket = await letIn();
  socket.say({ type: "pong", data: { time: "1970-01-01T00:00:01Z" } });
  socket.say({
    channel: "x",
    sequence: "1",
    type: "heartbeat",
    data: { time: "1970-01-01T00:00:02Z" },
  });
  expect(times).toEqual([1000, 2000]);
});

test("once stopped it stays away", async () => {
  const socket = await letIn();
  stream.stop();
  socket.break();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sockets).toHaveLength(1);
  expect(stream.state).toBe("idle");
});

describe("the pause before another attempt doubles, half of it by chance, up to ten seconds", () => {
  test.each([
    [0, 0, 125],
    [0, 1, 250],
    [3, 0.5, 1_500],
    [20, 0, 5_000],
    [20, 1, 10_000],
  ])("after %i failures and chance %f: %i ms", (failures, chance, delay) => {
    expect(reconnectDelay(failures, chance)).toBe(delay);
  });
});
