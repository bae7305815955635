import { money, type Order, type Tick } from "@veritick/client";
import { computed, toValue, type ComputedRef, type MaybeRefOrGetter } from "vue";
import type { PositionMark } from "@/chart/positionMarks";
import { axisPosition, type Bar } from "@/domain/candles";
import { drawablePrice, moneyText } from "@/domain/number";
import { profit, standing } from "@/domain/position";
import { countdownText } from "@/domain/time";
import { useTexts } from "@/messages";
import { useConnection } from "@/stores/connection";
import { useMarket } from "@/stores/market";

/** What the chart draws of orders, as time passes and prices move. */
export function usePositionMarks(
  orders: MaybeRefOrGetter<readonly Order[]>,
  bars: MaybeRefOrGetter<readonly Bar[]>,
  interval: MaybeRefOrGetter<number>,
): ComputedRef<readonly PositionMark[]> {
  const connection = useConnection();
  const market = useMarket();
  const { locale } = useTexts();

  function mark(order: Order, times: readonly number[], width: number): PositionMark | undefined {
    const at = (time: string): number | undefined =>
      axisPosition(times, Date.parse(time) / 1000, width);
    const [entry, expiry] = [at(order.entryTick.time), at(order.expireTime)];
    if (entry === undefined || expiry === undefined || entry < 0) return undefined;
    return {
      direction: order.direction === "UP" ? "UP" : "DOWN",
      entryPrice: drawablePrice(order.entryTick.price),
      entryPosition: entry,
      expiryPosition: expiry,
      ...(order.state === "OPEN" ? openLook(order) : closedLook(order, at)),
    };
  }

  function openLook(order: Order): Pick<PositionMark, "label" | "tone"> {
    const left = countdownText(Date.parse(order.expireTime) - connection.now);
    const tones = { WINNING: "winning", LOSING: "losing", EVEN: "even", UNKNOWN: "even" } as const;
    return {
      label: `${moneyText(order.stake, locale.value)} · ${left}`,
      tone: tones[standing(order, market.quotes.get(order.instrument)?.tick)],
    };
  }

  function closedLook(
    order: Order,
    at: (time: string) => number | undefined,
  ): Pick<PositionMark, "label" | "tone" | "close"> {
    const gained = profit(order) ?? 0n;
    const close = order.closeTick && closePlace(order.closeTick, at);
    return {
      label: moneyText(money(gained, order.stake.currencyCode), locale.value, true),
      tone: gained > 0n ? "winning" : gained < 0n ? "losing" : "even",
      ...(close === undefined ? {} : { close }),
    };
  }

  return computed(() => {
    // Bars grow in place, which nobody is told of: what passes is time.
    const shown = toValue(orders);
    if (shown.length === 0 || connection.now === 0) return [];
    const times = toValue(bars).map(({ time }) => time);
    const width = toValue(interval);
    return shown.flatMap((order) => mark(order, times, width) ?? []);
  });
}

function closePlace(tick: Tick, at: (time: string) => number | undefined): PositionMark["close"] {
  const position = at(tick.time);
  return position === undefined ? undefined : { position, price: drawablePrice(tick.price) };
}
