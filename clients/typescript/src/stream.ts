import type { EventData, StreamTicket } from "./types.ts";

/**
 * One message on a channel; its `type` says what its `data` is.
 *
 * `sequence` is its place: among the channel's events, or the number of the tick.
 */
export type StreamMessage = {
  readonly [Type in keyof EventData]: {
    readonly channel: string;
    readonly sequence: string;
    readonly type: Type;
    readonly data: EventData[Type];
  };
}[keyof EventData];

/** What a subscriber is told. */
export interface Listener {
  message(message: StreamMessage): void;
  /** The channel is (again) being delivered; nothing was lost since the last message. */
  ready?(): void;
  /** Messages were lost for good: read the whole state from its owner. */
  gap?(): void;
}

export type StreamState = "idle" | "connecting" | "open" | "waiting";

/** What the stream needs of the world. All but the tickets is what browsers and Node have. */
export interface StreamParts {
  /** A ticket for each connection: `() => client.createStreamTicket()`. */
  readonly ticket: () => Promise<StreamTicket>;
  readonly open?: (url: string) => WebSocket;
  /** Evenly from 0 to 1. */
  readonly random?: () => number;
  /** Milliseconds of a clock that goes on while the machine sleeps; a jump does no harm. */
  readonly now?: () => number;
}

const WORLD = {
  open: (url: string): WebSocket => new WebSocket(url),
  random: (): number => Math.random(),
  now: (): number => Date.now(),
};

interface Channel {
  readonly listeners: Set<Listener>;
  /** Whether it keeps every event; others show the latest and skip. */
  readonly journal: boolean;
  /** The last sequence delivered of a journal. */
  after: string | undefined;
  /** How often in a row the server could not deliver it. */
  refusals: number;
}

interface Frame {
  readonly channel?: string;
  readonly sequence?: string;
  readonly type: string;
  readonly data?: unknown;
}

const CONFLATED = /^(ticks|candles):/;
/** Frames whose sequence is no event's place among the others. */
const ANSWERS = new Set(["subscribed", "unsubscribed", "gap"]);
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 10_000;
const PING_EVERY_MS = 5_000;
const UNANSWERED_MAX = 2;
const OPENING_MAX_MS = 8_000;
/** How soon a socket must answer to be believed alive after a sleep. */
const PROBE_MS = 400;
/** An attempt to connect that is older than this may be one from before the sleep. */
const YOUNG_MS = 1_000;

/** How long to wait before the attempt after `failures` failed ones: doubling, half of it random. */
export function reconnectDelay(failures: number, random: number): number {
  const whole = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failures, 10));
  return whole / 2 + (whole / 2) * random;
}

/**
 * One socket for everything that is pushed.
 *
 * It reconnects by itself, subscribes again what was subscribed, and resumes every channel
 * after the last sequence it delivered, so a listener misses nothing and sees nothing twice.
 */
export class Stream {
  private readonly channels = new Map<string, Channel>();
  private readonly stateListeners = new Set<(state: StreamState) => void>();
  private readonly timeListeners = new Set<(serverTime: number) => void>();
  private current: StreamState = "idle";
  private socket: WebSocket | undefined;
  private failures = 0;
  /** When anything was heard, or at least begun, last. */
  private heardAt = 0;
  /** Pings since anything was heard. */
  private unanswered = 0;
  private attempt = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private probe: ReturnType<typeof setTimeout> | undefined;
  private heart: ReturnType<typeof setInterval> | undefined;
  private readonly parts: Required<StreamParts>;

  constructor(parts: StreamParts) {
    this.parts = { ...WORLD, ...parts };
  }

  get state(): StreamState {
    return this.current;
  }

  /** Tells every change of state from now on. */
  onState(listener: (state: StreamState) => void): void {
    this.stateListeners.add(listener);
  }

  /** Tells the server's clock whenever a frame shows it. */
  onServerTime(listener: (serverTime: number) => void): void {
    this.timeListeners.add(listener);
  }

  /** Connects, and stays connected until `stop`. */
  start(): void {
    if (this.current === "idle") void this.connect();
  }

  /** Disconnects and forgets all subscriptions. */
  stop(): void {
    this.drop();
    this.channels.clear();
    this.failures = 0;
    this.become("idle");
  }

  /** Makes sure, after a sleep or a change of network, that the socket is not a dead one. */
  wake(): void {
    const silence = this.parts.now() - this.heardAt;
    const suspect =
      this.current === "waiting" ||
      (this.current === "connecting" && silence > YOUNG_MS) ||
      (this.current === "open" && silence > PING_EVERY_MS);
    if (suspect) this.reconnect();
    else if (this.current === "open") this.ask();
  }

  /**
   * Delivers a channel to `listener` until the returned function is called.
   *
   * Who joins a channel that others listen to hears what comes from then on, and `ready` only
   * after the next reconnection.
   */
  subscribe(name: string, listener: Listener): () => void {
    let channel = this.channels.get(name);
    if (channel === undefined) {
      channel = {
        listeners: new Set(),
        journal: !CONFLATED.test(name),
        after: undefined,
        refusals: 0,
      };
      this.channels.set(name, channel);
      if (this.current === "open") this.sendSubscribe(name, channel);
    }
    channel.listeners.add(listener);
    return () => {
      this.unsubscribe(name, listener);
    };
  }

  private unsubscribe(name: string, listener: Listener): void {
    const channel = this.channels.get(name);
    if (channel?.listeners.delete(listener) !== true || channel.listeners.size > 0) return;
    this.channels.delete(name);
    if (this.current === "open") this.send({ op: "unsubscribe", channel: name });
  }

  private reconnect(): void {
    this.drop();
    void this.connect();
  }

  /** Reconnects unless the socket answers at once. */
  private ask(): void {
    clearTimeout(this.probe);
    this.unanswered += 1;
    this.send({ op: "ping" });
    this.probe = setTimeout(() => {
      if (this.unanswered > 0) this.reconnect();
    }, PROBE_MS);
  }

  private async connect(): Promise<void> {
    clearTimeout(this.timer);
    const attempt = ++this.attempt;
    this.heardAt = this.parts.now();
    this.become("connecting");
    this.timer = setTimeout(() => {
      this.retry(attempt);
    }, OPENING_MAX_MS);
    let ticket: StreamTicket;
    try {
      ticket = await this.parts.ticket();
    } catch {
      this.retry(attempt);
      return;
    }
    if (attempt === this.attempt) this.attach(this.parts.open(ticket.url), ticket.ticket, attempt);
  }

  private attach(socket: WebSocket, ticket: string, attempt: number): void {
    this.socket = socket;
    socket.onopen = () => {
      this.send({ op: "authenticate", ticket });
    };
    socket.onmessage = (event: MessageEvent<string>) => {
      this.receive(event.data);
    };
    socket.onclose = () => {
      this.retry(attempt);
    };
  }

  private authenticated(): void {
    clearTimeout(this.timer);
    this.failures = 0;
    this.become("open");
    for (const [name, channel] of this.channels) this.sendSubscribe(name, channel);
    this.heart = setInterval(() => {
      this.beat();
    }, PING_EVERY_MS);
  }

  private beat(): void {
    if (this.unanswered >= UNANSWERED_MAX) {
      this.retry(this.attempt);
      return;
    }
    this.unanswered += 1;
    this.send({ op: "ping" });
  }

  private retry(attempt: number): void {
    if (attempt !== this.attempt) return;
    this.drop();
    this.become("waiting");
    this.timer = setTimeout(
      () => void this.connect(),
      reconnectDelay(this.failures, this.parts.random()),
    );
    this.failures += 1;
  }

  private drop(): void {
    this.attempt += 1;
    clearTimeout(this.timer);
    clearTimeout(this.probe);
    clearInterval(this.heart);
    this.unanswered = 0;
    const socket = this.socket;
    this.socket = undefined;
    if (socket === undefined) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  private receive(text: string): void {
    this.heardAt = this.parts.now();
    this.unanswered = 0;
    const frame = JSON.parse(text) as Frame;
    if (frame.type === "authenticated") this.authenticated();
    if (frame.type === "pong" || frame.type === "heartbeat") this.tellTime(frame.data);
    const channel = this.channels.get(frame.channel ?? "");
    if (channel === undefined) return;
    if (frame.type === "error") this.askAgain(frame.channel ?? "", channel);
    // The server tells what it leaves out. If it does not, it is asked again, from where we are.
    else if (tellsOfMore(frame, channel)) this.retry(this.attempt);
    else deliver(frame, channel);
  }

  /** A channel that its owner could not deliver is asked for again, ever less often. */
  private askAgain(name: string, channel: Channel): void {
    const attempt = this.attempt;
    const delay = reconnectDelay(channel.refusals, this.parts.random());
    channel.refusals += 1;
    setTimeout(() => {
      const current = this.attempt === attempt && this.channels.get(name) === channel;
      if (current && this.current === "open") this.sendSubscribe(name, channel);
    }, delay);
  }

  private tellTime(data: unknown): void {
    const time = Date.parse((data as { time: string }).time);
    for (const tell of this.timeListeners) tell(time);
  }

  private sendSubscribe(channel: string, { journal, after }: Channel): void {
    const resume = journal && after !== undefined ? { after } : {};
    this.send({ op: "subscribe", channel, ...resume });
  }

  private send(frame: object): void {
    if (this.socket?.readyState === 1) this.socket.send(JSON.stringify(frame));
  }

  private become(state: StreamState): void {
    if (state === this.current) return;
    this.current = state;
    for (const tell of this.stateListeners) tell(state);
  }
}

function deliver(frame: Frame, channel: Channel): void {
  switch (frame.type) {
    case "subscribed":
      channel.refusals = 0;
      channel.after ??= frame.sequence;
      for (const listener of channel.listeners) listener.ready?.();
      return;
    case "gap":
      channel.after = frame.sequence;
      for (const listener of channel.listeners) listener.gap?.();
      return;
    case "heartbeat":
    case "unsubscribed":
      return;
    default:
      if (channel.journal && isRepeated(frame.sequence, channel.after)) return;
      channel.after = frame.sequence;
      for (const listener of channel.listeners) listener.message(frame as StreamMessage);
  }
}

/** Whether a frame shows that events before it were not delivered. */
function tellsOfMore({ type, sequence }: Frame, { journal, after }: Channel): boolean {
  if (!journal || after === undefined || sequence === undefined) return false;
  if (ANSWERS.has(type)) return false;
  const told = type === "heartbeat" ? BigInt(sequence) : BigInt(sequence) - 1n;
  return told > BigInt(after);
}

function isRepeated(sequence: string | undefined, after: string | undefined): boolean {
  return sequence !== undefined && after !== undefined && BigInt(sequence) <= BigInt(after);
}
