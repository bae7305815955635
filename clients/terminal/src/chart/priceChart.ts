import {
  CandlestickSeries,
  ColorType,
  createChart,
  CrosshairMode,
  type IChartApi,
  type ISeriesApi,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import type { Bar } from "@/domain/candles";
import type { Palette } from "./palette";
import { PositionMarks, type PositionMark } from "./positionMarks";

/** How prices and times are written on the axes; times in seconds since the epoch. */
export interface AxisTexts {
  readonly price: (price: number, decimals: number) => string;
  readonly full: (seconds: number) => string;
  readonly tick: (seconds: number, kind: "day" | "minute" | "second") => string;
}

const RIGHT_SPACE_BARS = 12;
const FIRST_BARS = 90;
const OLDER_WHEN_BARS_LEFT = 40;

/**
 * The candle chart on a canvas: the only place that knows the drawing library.
 *
 * `older` is called, again and again, while the user looks at the beginning of what is loaded.
 */
export class PriceChart {
  private readonly chart: IChartApi;
  private readonly series: ISeriesApi<"Candlestick">;
  private readonly marks: PositionMarks;

  constructor(
    container: HTMLElement,
    private palette: Palette,
    private readonly texts: AxisTexts,
    older: () => void,
  ) {
    this.chart = createChart(container, {
      autoSize: true,
      // Its logo brings a style sheet of its own, which the page's policy refuses; the page names
      // the library itself (ChartAttribution).
      layout: { attributionLogo: false },
      crosshair: { mode: CrosshairMode.Normal },
      timeScale: {
        timeVisible: true,
        secondsVisible: true,
        rightOffset: RIGHT_SPACE_BARS,
        borderVisible: false,
        minBarSpacing: 1,
        tickMarkFormatter: (time: Time, kind: number) =>
          texts.tick(time as number, kind <= 2 ? "day" : kind === 3 ? "minute" : "second"),
      },
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.16, bottom: 0.12 } },
      localization: { timeFormatter: (time: Time) => texts.full(time as number) },
    });
    this.series = this.chart.addSeries(CandlestickSeries, { borderVisible: false });
    this.marks = new PositionMarks(palette);
    this.series.attachPrimitive(this.marks);
    this.paint(palette);
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range !== null && range.from < OLDER_WHEN_BARS_LEFT) older();
    });
  }

  /** Takes on the colours of the theme. */
  paint(palette: Palette): void {
    this.palette = palette;
    this.chart.applyOptions({
      layout: {
        background: { type: ColorType.Solid, color: palette.panel },
        textColor: palette.muted,
        fontFamily: getComputedStyle(document.body).fontFamily,
        fontSize: 11,
      },
      grid: {
        vertLines: { color: `${palette.line}80` },
        horzLines: { color: `${palette.line}80` },
      },
      crosshair: {
        vertLine: { color: palette.muted, labelBackgroundColor: palette.accent },
        horzLine: { color: palette.muted, labelBackgroundColor: palette.accent },
      },
    });
    const { up, down } = palette;
    this.series.applyOptions({
      upColor: up,
      downColor: down,
      wickUpColor: up,
      wickDownColor: down,
    });
  }

  /** Shows these bars: where the user was looking, or `fresh`, from the newest ones. */
  replace(bars: readonly Bar[], priceScale: number, fresh: boolean): void {
    this.series.applyOptions({
      priceFormat: {
        type: "custom",
        minMove: 10 ** -priceScale,
        formatter: (price: number) => this.texts.price(price, priceScale),
      },
    });
    this.series.setData(bars.map((bar) => this.drawn(bar)));
    if (!fresh) return;
    this.chart.priceScale("right").applyOptions({ autoScale: true });
    this.chart.timeScale().setVisibleLogicalRange({
      from: bars.length - FIRST_BARS,
      to: bars.length + RIGHT_SPACE_BARS,
    });
  }

  /** Shows more of the past, without moving what is in view. */
  prepend(bars: readonly Bar[], added: number): void {
    const scale = this.chart.timeScale();
    const range = scale.getVisibleLogicalRange();
    this.series.setData(bars.map((bar) => this.drawn(bar)));
    if (range !== null) {
      scale.setVisibleLogicalRange({ from: range.from + added, to: range.to + added });
    }
  }

  /** Shows the newest bar as it is now. */
  update(bar: Bar): void {
    this.series.update(this.drawn(bar));
  }

  showPositions(marks: readonly PositionMark[]): void {
    this.marks.show(marks, this.palette);
  }

  /** Greys the price line while the price is not live. */
  setLive(live: boolean): void {
    this.series.applyOptions({
      priceLineColor: live ? this.palette.accent : this.palette.muted,
    });
  }

  remove(): void {
    this.chart.remove();
  }

  private drawn(bar: Bar): {
    time: UTCTimestamp;
    open: number;
    high: number;
    low: number;
    close: number;
    color?: string;
    wickColor?: string;
  } {
    const { open, high, low, close } = bar;
    const shape = { time: bar.time as UTCTimestamp, open, high, low, close };
    if (!bar.synthetic) return shape;
    // What was generated to give a young chart a past is drawn fainter than what was traded on.
    const faint = `${close >= open ? this.palette.up : this.palette.down}73`;
    return { ...shape, color: faint, wickColor: faint };
  }
}
