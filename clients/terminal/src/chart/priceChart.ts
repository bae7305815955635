import {
  ColorType,
  createChart,
  CrosshairMode,
  type IChartApi,
  type ISeriesApi,
  type PriceFormat,
  type SeriesType,
  type Time,
} from "lightweight-charts";
import type { Bar } from "@/domain/candles";
import type { ChartStyle, Indicator } from "@/domain/chartStyle";
import { IndicatorSeries } from "./indicatorSeries";
import type { Palette } from "./palette";
import { PositionMarks, type PositionMark } from "./positionMarks";
import { addPriceSeries, drawnBar, paintPriceSeries } from "./priceSeries";

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
 * The price chart on a canvas: the only place that knows the drawing library.
 *
 * `older` is called, again and again, while the user looks at the beginning of what is loaded.
 */
export class PriceChart {
  private readonly chart: IChartApi;
  private readonly marks: PositionMarks;
  private readonly curves: IndicatorSeries;
  private series: ISeriesApi<SeriesType>;
  private style: ChartStyle = "candles";
  private indicators: readonly Indicator[] = [];
  private bars: readonly Bar[] = [];
  private priceScale = 0;
  private live = true;

  constructor(
    container: HTMLElement,
    private palette: Palette,
    private texts: AxisTexts,
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
          this.texts.tick(time as number, kind <= 2 ? "day" : kind === 3 ? "minute" : "second"),
      },
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.16, bottom: 0.12 } },
      localization: { timeFormatter: (time: Time) => texts.full(time as number) },
    });
    this.series = addPriceSeries(this.chart, this.style);
    this.curves = new IndicatorSeries(this.chart);
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
        panes: { separatorColor: palette.line, separatorHoverColor: palette.line },
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
    paintPriceSeries(this.series, this.style, palette);
    this.setLive(this.live);
    this.draw();
  }

  /** Draws prices in another way, and these indicators with them. */
  dress(style: ChartStyle, indicators: readonly Indicator[]): void {
    this.indicators = indicators;
    if (style !== this.style) {
      this.style = style;
      // The new one first: a pane that is left without a series disappears.
      const before = this.series;
      before.detachPrimitive(this.marks);
      this.series = addPriceSeries(this.chart, style);
      this.series.attachPrimitive(this.marks);
      this.chart.removeSeries(before);
    }
    this.paint(this.palette);
  }

  /** Shows these bars: where the user was looking, or `fresh`, from the newest ones. */
  replace(bars: readonly Bar[], priceScale: number, fresh: boolean): void {
    this.bars = bars;
    this.priceScale = priceScale;
    this.draw();
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
    this.bars = bars;
    this.draw();
    if (range !== null) {
      scale.setVisibleLogicalRange({ from: range.from + added, to: range.to + added });
    }
  }

  /** Shows the newest bar as it is now. */
  update(bar: Bar): void {
    this.series.update(drawnBar(bar, this.style, this.palette));
    this.curves.update(this.bars);
  }

  showPositions(marks: readonly PositionMark[]): void {
    this.marks.show(marks, this.palette);
  }

  /** Writes the axes in another language. */
  write(texts: AxisTexts): void {
    this.texts = texts;
    this.chart.applyOptions({
      localization: { timeFormatter: (time: Time) => texts.full(time as number) },
    });
  }

  /** Greys the price line while the price is not live. */
  setLive(live: boolean): void {
    this.live = live;
    this.series.applyOptions({
      priceLineColor: live ? this.palette.accent : this.palette.muted,
    });
  }

  remove(): void {
    this.chart.remove();
  }

  /** Draws everything from the bars. */
  private draw(): void {
    const priceFormat: PriceFormat = {
      type: "custom",
      minMove: 10 ** -this.priceScale,
      formatter: (price: number) => this.texts.price(price, this.priceScale),
    };
    const before = this.bars.at(-FIRST_BARS) ?? this.bars[0];
    this.series.applyOptions({
      priceFormat,
      ...(this.style === "baseline" && { baseValue: { type: "price", price: before?.close ?? 0 } }),
    });
    this.series.setData(this.bars.map((bar) => drawnBar(bar, this.style, this.palette)));
    this.curves.choose(this.indicators, this.palette, priceFormat);
    this.curves.replace(this.bars);
  }
}
