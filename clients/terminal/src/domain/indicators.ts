import type { Bar } from "./candles";

/**
 * What is calculated from bars and drawn with them; nothing is decided by it.
 *
 * Each answers one value per bar, and `undefined` for those that have too few before them.
 */
export type Values = readonly (number | undefined)[];

/** The mean of the last `period` values. */
export function sma(values: Values, period: number): Values {
  return afterStart(values, (given) => {
    let sum = 0;
    return given.map((value, index) => {
      sum += value - (index >= period ? (given[index - period] ?? 0) : 0);
      return index < period - 1 ? undefined : sum / period;
    });
  });
}

/** The exponential mean with the weight 2 / (period + 1), begun with the first simple mean. */
export function ema(values: Values, period: number): Values {
  return smoothed(values, period, 2 / (period + 1));
}

export interface Bands {
  readonly middle: Values;
  readonly upper: Values;
  readonly lower: Values;
}

/** The mean of the last `period` prices, and `width` standard deviations around it. */
export function bollinger(prices: readonly number[], period: number, width: number): Bands {
  const middle = sma(prices, period);
  const reach = middle.map((mean, index) => {
    if (mean === undefined) return undefined;
    const last = prices.slice(index - period + 1, index + 1);
    return width * Math.sqrt(last.reduce((sum, price) => sum + (price - mean) ** 2, 0) / period);
  });
  return { middle, upper: combined(middle, reach, plus), lower: combined(middle, reach, minus) };
}

/**
 * The relative strength of rises against falls, 0 to 100, smoothed as Wilder does.
 *
 * Prices that neither rose nor fell are even: 50.
 */
export function rsi(prices: readonly number[], period: number): Values {
  const changes = prices.map((price, index) =>
    index === 0 ? undefined : price - (prices[index - 1] ?? price),
  );
  const mean = (side: (change: number) => number): Values =>
    wilder(
      changes.map((change) => change && side(change)),
      period,
    );
  const [rises, falls] = [
    mean((change) => Math.max(change, 0)),
    mean((change) => Math.max(-change, 0)),
  ];
  return combined(rises, falls, (rise, fall) =>
    rise + fall === 0 ? 50 : (100 * rise) / (rise + fall),
  );
}

export interface Macd {
  readonly macd: Values;
  readonly signal: Values;
  readonly histogram: Values;
}

/** How far a fast exponential mean is from a slow one, the mean of that, and their difference. */
export function macd(
  prices: readonly number[],
  fast: number,
  slow: number,
  signalPeriod: number,
): Macd {
  const line = combined(ema(prices, fast), ema(prices, slow), minus);
  const signal = ema(line, signalPeriod);
  return { macd: line, signal, histogram: combined(line, signal, minus) };
}

export interface Stochastic {
  readonly k: Values;
  readonly d: Values;
}

/**
 * Where the close lies between the lowest low and the highest high of the last `period` bars, 0 to
 * 100, as a mean of `smoothing` (%K), and the mean of that (%D). A span of no height is even: 50.
 */
export function stochastic(
  bars: readonly Bar[],
  period: number,
  smoothing: number,
  signalPeriod: number,
): Stochastic {
  const raw = bars.map(({ close }, index) => {
    if (index < period - 1) return undefined;
    const last = bars.slice(index - period + 1, index + 1);
    const low = Math.min(...last.map((bar) => bar.low));
    const high = Math.max(...last.map((bar) => bar.high));
    return high === low ? 50 : (100 * (close - low)) / (high - low);
  });
  const k = sma(raw, smoothing);
  return { k, d: sma(k, signalPeriod) };
}

/** The mean true range: how far prices go within a bar and since the one before, as Wilder does. */
export function atr(bars: readonly Bar[], period: number): Values {
  const ranges = bars.map(({ high, low }, index) => {
    const before = bars[index - 1]?.close;
    if (before === undefined) return high - low;
    return Math.max(high, before) - Math.min(low, before);
  });
  return wilder(ranges, period);
}

/** Wilder's mean: each new value weighs a period-th. */
function wilder(values: Values, period: number): Values {
  return smoothed(values, period, 1 / period);
}

function smoothed(values: Values, period: number, weight: number): Values {
  return afterStart(values, (given) => {
    let mean = given.slice(0, period).reduce((sum, value) => sum + value, 0) / period;
    return given.map((value, index) => {
      if (index >= period) mean += weight * (value - mean);
      return index < period - 1 ? undefined : mean;
    });
  });
}

/** Applies `calculate` from the first value on, where the beginning has none. */
function afterStart(values: Values, calculate: (given: readonly number[]) => Values): Values {
  const start = values.findIndex((value) => value !== undefined);
  if (start === -1) return values;
  return [...values.slice(0, start), ...calculate(values.slice(start) as readonly number[])];
}

function combined(
  left: Values,
  right: Values,
  combine: (left: number, right: number) => number,
): Values {
  return left.map((value, index) => {
    const other = right[index];
    return value === undefined || other === undefined ? undefined : combine(value, other);
  });
}

const plus = (left: number, right: number): number => left + right;
const minus = (left: number, right: number): number => left - right;
