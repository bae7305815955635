import { minorUnits, type DailyProfit } from "@veritick/client";

/** Orders summed up; amounts are minor units. */
export interface ProfitSum {
  readonly orders: number;
  readonly winners: number;
  readonly losers: number;
  readonly refunds: number;
  readonly stakes: bigint;
  readonly profit: bigint;
}

/** By which a table of profits has its rows. */
export type Grouping = "day" | "instrument" | "both";

/** A row of the table; day or instrument is empty when the row is about all of them. */
export interface ProfitRow extends ProfitSum {
  readonly day: string;
  readonly instrument: string;
}

const NOTHING: ProfitSum = {
  orders: 0,
  winners: 0,
  losers: 0,
  refunds: 0,
  stakes: 0n,
  profit: 0n,
};

/** All of them together. */
export function sumOf(profits: readonly DailyProfit[]): ProfitSum {
  return profits.reduce<ProfitSum>(
    (sum, each) => ({
      orders: sum.orders + Number(each.orders),
      winners: sum.winners + Number(each.winners),
      losers: sum.losers + Number(each.losers),
      refunds: sum.refunds + Number(each.refunds),
      stakes: sum.stakes + minorUnits(each.stakes),
      profit: sum.profit + minorUnits(each.profit),
    }),
    NOTHING,
  );
}

/** The rows of a table: newest day first, instruments by their profit. */
export function profitRows(profits: readonly DailyProfit[], by: Grouping): ProfitRow[] {
  const groups = Map.groupBy(profits, ({ date, instrument }) =>
    [by === "instrument" ? "" : date, by === "day" ? "" : instrument].join(" "),
  );
  const rows = [...groups].map(([key, members]) => {
    const [day = "", instrument = ""] = key.split(" ");
    return { day, instrument, ...sumOf(members) };
  });
  return rows.sort(
    (left, right) =>
      right.day.localeCompare(left.day) ||
      Number(right.profit - left.profit) ||
      left.instrument.localeCompare(right.instrument),
  );
}

/** The share of winners among orders that won or lost, in basis points; draws count for neither. */
export function winRateBp({ winners, losers }: ProfitSum): number | undefined {
  const decided = winners + losers;
  return decided === 0 ? undefined : Math.round((winners * 10_000) / decided);
}

/** A day of the plot; positions are shares of its height from the top, for drawing only. */
export interface ProfitBar {
  readonly day: string;
  readonly profit: bigint;
  readonly total: bigint;
  readonly top: number;
  readonly height: number;
  readonly totalY: number;
}

export interface ProfitPlot {
  readonly bars: readonly ProfitBar[];
  readonly zeroY: number;
  /** What the top and the bottom stand for, in minor units. */
  readonly high: bigint;
  readonly low: bigint;
}

/** What each day brought, as a bar, and all up to it, as a line, on one scale. */
export function profitPlot(profits: readonly DailyProfit[], days: readonly string[]): ProfitPlot {
  const byDay = new Map(profitRows(profits, "day").map(({ day, profit }) => [day, profit]));
  let total = 0n;
  const values = days.map((day) => {
    const profit = byDay.get(day) ?? 0n;
    total += profit;
    return { day, profit, total };
  });
  const all = [0n, ...values.flatMap((each) => [each.profit, each.total])];
  const lowest = all.reduce((left, right) => (left < right ? left : right));
  const highest = all.reduce((left, right) => (left > right ? left : right));
  const [low, high] = [Number(lowest), Number(highest)];
  const y = (value: number): number => (high === low ? 0.5 : (high - value) / (high - low));
  return {
    zeroY: y(0),
    high: highest,
    low: lowest,
    bars: values.map((each) => {
      const [from, to] = [y(Math.max(0, Number(each.profit))), y(Math.min(0, Number(each.profit)))];
      return { ...each, top: from, height: to - from, totalY: y(Number(each.total)) };
    }),
  };
}
