import type { Receipt, Tick } from "@veritick/client";
import { drawablePrice } from "@veritick/ui/number";

/** A tick near expiry, placed in a drawing of 0–1 by 0–1 (top is 0). */
export interface PlottedTick {
  readonly tick: Tick;
  readonly x: number;
  readonly y: number;
  readonly decides: boolean;
}

export interface ReceiptPlot {
  readonly ticks: readonly PlottedTick[];
  readonly entryY: number;
  readonly expiryX: number;
}

/** The ticks around expiry by number, those that decided marked. */
export function ticksAround(receipt: Receipt): { tick: Tick; decides: boolean }[] {
  const { fixing } = receipt;
  const all = [...fixing.ticksBefore, ...fixing.ticksAfter];
  return all.map((tick) => ({ tick, decides: tick.number === fixing.tick?.number }));
}

/**
 * Places ticks evenly around the moment of expiry, which lies between the last tick at or before
 * it and the first after. Spacing is by order and not by time: what matters is which came when.
 */
export function receiptPlot(receipt: Receipt): ReceiptPlot | undefined {
  const around = ticksAround(receipt);
  if (around.length === 0) return undefined;
  const entry = drawablePrice(receipt.entryTick.price);
  const prices = [entry, ...around.map(({ tick }) => drawablePrice(tick.price))];
  const [low, high] = [Math.min(...prices), Math.max(...prices)];
  const y = (price: number): number => (high === low ? 0.5 : (high - price) / (high - low));
  const step = 1 / (around.length + 1);
  return {
    ticks: around.map(({ tick, decides }, index) => ({
      tick,
      decides,
      x: step * (index + 1),
      y: y(drawablePrice(tick.price)),
    })),
    entryY: y(entry),
    expiryX: step * (receipt.fixing.ticksBefore.length + 0.5),
  };
}
