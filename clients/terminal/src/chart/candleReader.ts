import { Failure, type Client, type ListCandlesResponse, type Tick } from "@veritick/client";
import { barOf, withTick, type Bar } from "@/domain/candles";
import { drawablePrice } from "@veritick/ui/number";
import { persist } from "@veritick/ui/persist";

const PAGE = 500;
const BARS_MAX = 6_000;
/** How often, at most, bars are read again because ticks between them were skipped. */
const MEND_EVERY_MS = 5_000;

/** What a chart is told of its bars. */
export interface BarsListener {
  /** `fresh` when they show something else than before, not the same brought up to date. */
  replaced(bars: readonly Bar[], priceScale: number, fresh: boolean): void;
  prepended(bars: readonly Bar[], added: number): void;
  /** Bars from this place on have changed, in the array given last. */
  grew(from: number): void;
  failed(failure: Failure | undefined): void;
}

/**
 * The candles of one instrument and interval: the newest page, older pages on demand, and every
 * tick folded into the newest bar. Ticks that arrive while the newest page is on its way wait
 * for it, so none is lost between the two.
 */
export class CandleReader {
  private bars: Bar[] = [];
  private waiting: Tick[] = [];
  private reading = true;
  private readingOlder = false;
  private more = false;
  private stopped = false;
  /** The number of the last tick; ticks are numbered without gaps. */
  private lastNumber: number | undefined;
  private mending: ReturnType<typeof setTimeout> | undefined;
  private giveUp: () => void = () => undefined;

  constructor(
    private readonly client: Client,
    private readonly symbol: string,
    private readonly intervalSeconds: number,
    private readonly listener: BarsListener,
  ) {
    this.refresh();
  }

  /** Reads the newest page, at first and whenever ticks may have been missed. */
  refresh(): void {
    this.giveUp();
    this.reading = true;
    this.lastNumber = undefined;
    this.waiting = [];
    this.giveUp = persist(
      () => this.readNewest(),
      (failure) => {
        this.listener.failed(failure);
      },
    );
  }

  /** Reads the page before the oldest, unless there is none or it is on its way. */
  older(): void {
    const oldest = this.bars[0];
    const idle = !this.reading && !this.readingOlder;
    if (oldest === undefined || !idle || !this.more || this.bars.length >= BARS_MAX) return;
    this.readingOlder = true;
    void this.readBefore(oldest).finally(() => (this.readingOlder = false));
  }

  /**
   * Folds a tick into the newest bar. What a slow connection skipped is missing in the bars, so
   * they are read again.
   */
  take(tick: Tick): void {
    const number = Number(tick.number);
    if (this.lastNumber !== undefined && number > this.lastNumber + 1) this.mend();
    this.lastNumber = number;
    if (tick.late) return; // fixes nothing, and is in no candle
    if (this.reading) this.waiting.push(tick);
    else {
      const changed = this.grow(tick);
      if (changed !== undefined) this.listener.grew(changed);
    }
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.mending);
    this.giveUp();
  }

  private mend(): void {
    this.mending ??= setTimeout(() => {
      this.mending = undefined;
      this.refresh();
    }, MEND_EVERY_MS);
  }

  private async readNewest(): Promise<void> {
    const page = await this.ask(undefined);
    if (this.stopped) return;
    const newest = page.candles.map((candle) => barOf(candle, page.priceScale));
    const first = newest[0]?.time ?? Infinity;
    const fresh = this.bars.length === 0;
    // What does not reach the page would leave a hole that looks like none.
    const joined = (this.bars.at(-1)?.time ?? -Infinity) >= first;
    const past = joined ? this.bars.filter(({ time }) => time < first) : [];
    if (past.length === 0) this.more = page.more;
    this.bars = [...past, ...newest];
    this.reading = false;
    for (const tick of this.waiting) this.grow(tick);
    this.listener.replaced(this.bars, page.priceScale, fresh);
  }

  private async readBefore(oldest: Bar): Promise<void> {
    try {
      const page = await this.ask(new Date(oldest.time * 1000).toISOString());
      if (this.stopped || this.bars[0] !== oldest) return;
      this.more = page.more && page.candles.length > 0;
      const past = page.candles.map((candle) => barOf(candle, page.priceScale));
      this.bars = [...past, ...this.bars];
      this.listener.prepended(this.bars, past.length);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.more = false; // until another instrument or interval is chosen
    }
  }

  private ask(end: string | undefined): Promise<ListCandlesResponse> {
    const { intervalSeconds } = this;
    return this.client.listCandles(this.symbol, { intervalSeconds, end, pageSize: PAGE });
  }

  /** Folds a tick in, and answers the place of the bar that it changed. */
  private grow(tick: Tick): number | undefined {
    const newest = this.bars.at(-1);
    const drawn = { seconds: Date.parse(tick.time) / 1000, price: drawablePrice(tick.price) };
    const bar = withTick(newest, drawn, this.intervalSeconds);
    if (bar === undefined) return undefined;
    const place = this.bars.length - (bar.time === newest?.time ? 1 : 0);
    this.bars[place] = bar;
    return place;
  }
}
