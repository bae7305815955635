import type { Candle } from "@veritick/client";

/**
 * One bar of the chart. Prices are numbers because the chart draws numbers; nothing is decided
 * by them. `time` is the start, in whole seconds since the epoch.
 */
export interface Bar {
  readonly time: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly synthetic: boolean;
}

/** The widths of candle that the platform keeps, in seconds. */
export const INTERVALS = [1, 5, 15, 30, 60, 300, 900, 3_600, 14_400, 86_400] as const;

export function barOf(candle: Candle, priceScale: number): Bar {
  const unit = 10 ** priceScale;
  return {
    time: Date.parse(candle.startTime) / 1000,
    open: Number(candle.open) / unit,
    high: Number(candle.high) / unit,
    low: Number(candle.low) / unit,
    close: Number(candle.close) / unit,
    synthetic: candle.synthetic,
  };
}

/** The start of the interval in which a moment lies. Both in seconds. */
export function barStart(seconds: number, interval: number): number {
  return Math.floor(seconds / interval) * interval;
}

/**
 * The newest bar after one more tick, or `undefined` for a tick that is older than it.
 *
 * Generated candles give way to the first real tick of their interval.
 */
export function withTick(
  newest: Bar | undefined,
  tick: { readonly seconds: number; readonly price: number },
  interval: number,
): Bar | undefined {
  const time = barStart(tick.seconds, interval);
  const { price } = tick;
  if (newest !== undefined && time < newest.time) return undefined;
  if (newest?.time !== time || newest.synthetic) {
    return { time, open: price, high: price, low: price, close: price, synthetic: false };
  }
  return {
    ...newest,
    high: Math.max(newest.high, price),
    low: Math.min(newest.low, price),
    close: price,
  };
}

/**
 * Where a moment lies on the chart's axis of bars: 2 is the beginning of the third, 2.5 its middle.
 *
 * Bars stand side by side even when intervals without a tick lie between them; before the first
 * and after the last one the axis goes on evenly.
 */
export function axisPosition(
  bars: readonly Pick<Bar, "time">[],
  seconds: number,
  interval: number,
): number | undefined {
  const first = bars[0]?.time;
  if (first === undefined) return undefined;
  if (seconds < first) return (seconds - first) / interval;
  const index = barAt(bars, seconds);
  const within = (seconds - (bars[index]?.time ?? 0)) / interval;
  return index + (index === bars.length - 1 ? within : Math.min(within, 1));
}

/** The moment at a position of the axis: the other way round. */
export function axisTime(
  bars: readonly Pick<Bar, "time">[],
  position: number,
  interval: number,
): number | undefined {
  const index = Math.min(Math.max(Math.floor(position), 0), bars.length - 1);
  const bar = bars[index];
  return bar && bar.time + (position - index) * interval;
}

/** The last bar that began at or before a moment that is not before the first one. */
function barAt(bars: readonly Pick<Bar, "time">[], seconds: number): number {
  let [low, high] = [0, bars.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((bars[middle]?.time ?? 0) <= seconds) low = middle;
    else high = middle - 1;
  }
  return low;
}
