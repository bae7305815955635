import { money, type Order, type Tick } from "@veritick/client";
import { computed, toValue, type ComputedRef, type MaybeRefOrGetter } from "vue";
import type { PositionMark } from "@/chart/positionMarks";
import { drawablePrice, moneyText } from "@veritick/ui/number";
import { profit, standing } from "@/domain/position";
import { countdownText } from "@veritick/ui/time";
import { useTexts } from "@/messages";
import { useConnection } from "@/stores/connection";
import { useMarket } from "@/stores/market";

const seconds = (time: string): number => Date.parse(time) / 1000;
const TONES = { WINNING: "winning", LOSING: "losing", EVEN: "even", UNKNOWN: "even" } as const;

/** What the chart draws of orders, as time passes and prices move. */
export function usePositionMarks(
  orders: MaybeRefOrGetter<readonly Order[]>,
): ComputedRef<readonly PositionMark[]> {
  const connection = useConnection();
  const market = useMarket();
  const { locale } = useTexts();

  function mark(order: Order): PositionMark {
    return {
      direction: order.direction === "UP" ? "UP" : "DOWN",
      entry: placeOf(order.entryTick),
      expiry: seconds(order.expireTime),
      ...(order.state === "OPEN" ? openLook(order) : closedLook(order)),
    };
  }

  function openLook(order: Order): Pick<PositionMark, "label" | "tone" | "open"> {
    const left = countdownText(Date.parse(order.expireTime) - connection.now);
    return {
      open: true,
      label: `${moneyText(order.stake, locale.value)} · ${left}`,
      tone: TONES[standing(order, market.quotes.get(order.instrument)?.tick)],
    };
  }

  function closedLook(order: Order): Pick<PositionMark, "label" | "tone" | "open" | "close"> {
    const gained = profit(order) ?? 0n;
    return {
      open: false,
      label: moneyText(money(gained, order.stake.currencyCode), locale.value, true),
      tone: gained > 0n ? "winning" : gained < 0n ? "losing" : "even",
      ...(order.closeTick && { close: placeOf(order.closeTick) }),
    };
  }

  return computed(() => toValue(orders).map(mark));
}

function placeOf({ time, price }: Tick): PositionMark["entry"] {
  return { time: seconds(time), price: drawablePrice(price) };
}
