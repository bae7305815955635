/**
 * What is calculated from closing prices and drawn with them; nothing is decided by it.
 *
 * Each answers one value per price, and `undefined` for those that have too few before them.
 */
export type Values = readonly (number | undefined)[];

/** The mean of the last `period` prices. */
export function sma(prices: readonly number[], period: number): Values {
  let sum = 0;
  return prices.map((price, index) => {
    sum += price - (index >= period ? (prices[index - period] ?? 0) : 0);
    return index < period - 1 ? undefined : sum / period;
  });
}

/** The exponential mean with the weight 2 / (period + 1), begun with the first simple mean. */
export function ema(prices: readonly number[], period: number): Values {
  const [begin] = sma(prices.slice(0, period), period).slice(-1);
  const weight = 2 / (period + 1);
  let mean = begin;
  return prices.map((price, index) => {
    if (mean === undefined || index < period - 1) return undefined;
    if (index >= period) mean += weight * (price - mean);
    return mean;
  });
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
  const shifted = (way: 1 | -1): Values =>
    middle.map((mean, index) => mean && mean + way * (reach[index] ?? 0));
  return { middle, upper: shifted(1), lower: shifted(-1) };
}

/**
 * The relative strength of rises against falls, 0 to 100, smoothed as Wilder does.
 *
 * Prices that neither rose nor fell are even: 50.
 */
export function rsi(prices: readonly number[], period: number): Values {
  let [rise, fall] = [0, 0];
  return prices.map((price, index) => {
    if (index === 0) return undefined;
    const change = price - (prices[index - 1] ?? price);
    // The first mean is a plain one; from then on each change weighs a period-th.
    const kept = index <= period ? 1 : (period - 1) / period;
    rise = rise * kept + Math.max(change, 0) / period;
    fall = fall * kept + Math.max(-change, 0) / period;
    if (index < period) return undefined;
    return rise + fall === 0 ? 50 : (100 * rise) / (rise + fall);
  });
}
