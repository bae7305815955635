import type { IChartApi, Logical } from "lightweight-charts";
import { axisPosition, axisTime, type Bar } from "@/domain/candles";

/** Where moments are in the chart's panes: the library itself places whole bars only. */
export class Axis {
  private bars: readonly Bar[] = [];
  private interval = 1;

  constructor(private readonly chart: IChartApi) {}

  /** Measures by these bars, which may grow in place. */
  measure(bars: readonly Bar[], interval: number): void {
    this.bars = bars;
    this.interval = interval;
  }

  /** The place of a moment, in pixels from the left; `undefined` while there are no bars. */
  x(seconds: number): number | undefined {
    const position = axisPosition(this.bars, seconds, this.interval);
    const scale = this.scale();
    if (position === undefined || scale === undefined) return undefined;
    // A bar is drawn around its whole number, and begins half a bar before it.
    return scale.origin + (position - 0.5) * scale.spacing;
  }

  /** The moment at a place: the other way round. */
  seconds(x: number): number | undefined {
    const scale = this.scale();
    if (scale === undefined) return undefined;
    return axisTime(this.bars, (x - scale.origin) / scale.spacing + 0.5, this.interval);
  }

  private scale(): { origin: number; spacing: number } | undefined {
    const scale = this.chart.timeScale();
    const [origin, next] = [0, 1].map((bar) => scale.logicalToCoordinate(bar as Logical));
    return origin == null || next == null ? undefined : { origin, spacing: next - origin };
  }
}
