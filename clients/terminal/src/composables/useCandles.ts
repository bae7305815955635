import { Failure, type Tick } from "@veritick/client";
import { onScopeDispose, ref, shallowRef, watch, type Ref } from "vue";
import { barOf, withTick, type Bar } from "@/domain/candles";
import { drawablePrice } from "@/domain/number";
import { persist } from "@/persist";
import { usePlatform } from "@/platform";
import { useConnection } from "@/stores/connection";
import { useMarket } from "@/stores/market";

const PAGE = 500;
const BARS_MAX = 6_000;

/** What a chart is told of its bars. */
export interface BarsListener {
  /** `fresh` when they show something else than before, not the same brought up to date. */
  replaced(bars: readonly Bar[], priceScale: number, fresh: boolean): void;
  prepended(bars: readonly Bar[], added: number): void;
  updated(bar: Bar): void;
}

export interface Candles {
  readonly bars: Readonly<Ref<readonly Bar[]>>;
  readonly priceScale: Readonly<Ref<number>>;
  readonly loading: Readonly<Ref<boolean>>;
  readonly failure: Readonly<Ref<Failure | undefined>>;
  readonly older: () => void;
}

/**
 * The candles of one instrument and interval: history, older history on demand, and every tick.
 *
 * After the connection was away the newest page is read again, so no bar misses its ticks.
 */
export function useCandles(
  symbol: Readonly<Ref<string>>,
  interval: Readonly<Ref<number>>,
  listener: BarsListener,
): Candles {
  const { client } = usePlatform();
  const market = useMarket();
  const connection = useConnection();
  const bars = shallowRef<readonly Bar[]>([]);
  const priceScale = ref(0);
  const loading = ref(true);
  const failure = shallowRef<Failure>();
  let waiting: Tick[] = [];
  let more = false;
  let reading = false;
  let readingOlder = false;
  let round = 0;
  let end = (): void => undefined;
  let refresh = (): void => undefined;

  function begin(): void {
    end();
    bars.value = [];
    loading.value = true;
    if (symbol.value === "") return;
    const mute = market.onTick(symbol.value, takeTick);
    let giveUp = read(true);
    refresh = () => {
      giveUp();
      giveUp = read(false);
    };
    end = () => {
      mute();
      giveUp();
    };
  }

  /** Reads the newest page; ticks that arrive meanwhile wait for it. */
  function read(fresh: boolean): () => void {
    round += 1;
    waiting = [];
    reading = true;
    return persist(
      () => readNewest(fresh),
      (now) => (failure.value = now),
    );
  }

  async function readNewest(fresh: boolean): Promise<void> {
    const asked = round;
    const page = await client.listCandles(symbol.value, {
      intervalSeconds: interval.value,
      pageSize: PAGE,
    });
    if (asked !== round) return;
    const newest = page.candles.map((candle) => barOf(candle, page.priceScale));
    const past = bars.value.filter(({ time }) => time < (newest[0]?.time ?? Infinity));
    if (past.length === 0) more = page.more;
    bars.value = [...past, ...newest];
    priceScale.value = page.priceScale;
    reading = false;
    for (const tick of waiting) grow(tick);
    loading.value = false;
    listener.replaced(bars.value, page.priceScale, fresh);
  }

  async function readOlder(): Promise<void> {
    const [asked, first] = [round, bars.value[0]];
    if (first === undefined) return;
    const page = await client.listCandles(symbol.value, {
      intervalSeconds: interval.value,
      end: new Date(first.time * 1000).toISOString(),
      pageSize: PAGE,
    });
    if (asked !== round) return;
    more = page.more && page.candles.length > 0;
    const past = page.candles.map((candle) => barOf(candle, page.priceScale));
    bars.value = [...past, ...bars.value];
    listener.prepended(bars.value, past.length);
  }

  function older(): void {
    if (!more || reading || readingOlder || bars.value.length >= BARS_MAX) return;
    readingOlder = true;
    readOlder()
      .catch((error: unknown) => {
        if (!(error instanceof Failure)) throw error;
        more = false; // until another instrument or interval is chosen
      })
      .finally(() => (readingOlder = false));
  }

  function takeTick(tick: Tick): void {
    if (reading) waiting.push(tick);
    else {
      const bar = grow(tick);
      if (bar !== undefined) listener.updated(bar);
    }
  }

  /** Changes the newest bar in place of a copy of all: this runs for every tick. */
  function grow(tick: Tick): Bar | undefined {
    if (tick.late) return undefined;
    const all = bars.value as Bar[];
    const newest = all.at(-1);
    const seconds = Date.parse(tick.time) / 1000;
    const bar = withTick(newest, { seconds, price: drawablePrice(tick.price) }, interval.value);
    if (bar === undefined) return undefined;
    if (bar.time === newest?.time) all[all.length - 1] = bar;
    else all.push(bar);
    return bar;
  }

  watch([symbol, interval], begin, { immediate: true });
  watch(
    () => connection.open,
    (open, before) => {
      if (open && !before) refresh();
    },
  );
  onScopeDispose(() => {
    end();
  });
  return { bars, priceScale, loading, failure, older };
}
