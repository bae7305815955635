import type { Candle, Client, ListCandlesResponse, Tick } from "@veritick/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CandleReader } from "@/chart/candleReader";
import type { Bar } from "@/domain/candles";

const INTERVAL = 5;
let pages: Candle[][];
let asked: (string | undefined)[];
let bars: readonly Bar[];
let reader: CandleReader;

function candle(second: number, price = 100): Candle {
  const text = String(price);
  return {
    startTime: new Date(second * 1000).toISOString(),
    ...{ open: text, high: text, low: text, close: text, ticks: 1, synthetic: false },
  };
}

function tick(number: number, second: number, price: number, late = false): Tick {
  const time = new Date(second * 1000).toISOString();
  return {
    instrument: "X",
    number: String(number),
    price: { mantissa: String(price), scale: 0 },
    time,
    sourceTime: time,
    late,
  };
}

const server = {
  listCandles: (_: string, { end }: { end?: string }): Promise<ListCandlesResponse> => {
    asked.push(end);
    const candles = pages.shift() ?? [];
    return Promise.resolve({ candles, priceScale: 0, more: pages.length > 0 });
  },
};

const times = (): number[] => bars.map(({ time }) => time);

async function read(...answers: Candle[][]): Promise<void> {
  pages = answers;
  reader = new CandleReader(server as unknown as Client, "X", INTERVAL, {
    replaced: (all) => (bars = all),
    prepended: (all) => (bars = all),
    grew: () => undefined,
    failed: () => undefined,
  });
  await vi.advanceTimersByTimeAsync(0);
}

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  bars = [];
});
afterEach(() => {
  reader.stop();
});

test("older candles come before what is there, as far back as there are any", async () => {
  await read([candle(100), candle(105)], [candle(90), candle(95)]);
  reader.older();
  reader.older();
  await vi.advanceTimersByTimeAsync(0);
  reader.older();
  await vi.advanceTimersByTimeAsync(0);
  expect(times()).toEqual([90, 95, 100, 105]);
  expect(asked).toEqual([undefined, "1970-01-01T00:01:40.000Z"]);
});

test("a tick changes the newest bar or begins one; a late one is in no candle", async () => {
  await read([candle(100)]);
  reader.take(tick(1, 101, 120));
  reader.take(tick(2, 103, 500, true));
  reader.take(tick(3, 106, 90));
  expect(bars.map(({ time, high, close }) => [time, high, close])).toEqual([
    [100, 120, 120],
    [105, 90, 90],
  ]);
});

test("ticks that come while the newest page is on its way are in it in the end", async () => {
  await read([candle(100)]);
  pages = [[candle(100, 110)]];
  reader.refresh();
  reader.take(tick(1, 102, 130));
  await vi.advanceTimersByTimeAsync(0);
  expect(bars.map(({ high, close }) => [high, close])).toEqual([[130, 130]]);
});

test("when ticks were skipped the candles are read again, once for many", async () => {
  await read([candle(100)]);
  reader.take(tick(1, 101, 100));
  expect(asked).toHaveLength(1);
  for (const number of [5, 9, 14]) reader.take(tick(number, 102, 100));
  pages = [[candle(100, 140)]];
  await vi.advanceTimersByTimeAsync(10_000);
  expect(asked).toHaveLength(2);
  expect(bars.map(({ high }) => high)).toEqual([140]);
});

test("after an absence, the past is kept where the newest page reaches it, and else not", async () => {
  await read([candle(100), candle(105), candle(110)]);
  pages = [[candle(105), candle(110), candle(115)]];
  reader.refresh();
  await vi.advanceTimersByTimeAsync(0);
  expect(times()).toEqual([100, 105, 110, 115]);

  pages = [[candle(900), candle(905)]];
  reader.refresh();
  await vi.advanceTimersByTimeAsync(0);
  expect(times()).toEqual([900, 905]);
});
