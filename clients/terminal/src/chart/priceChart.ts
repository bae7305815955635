import {
  createChart,
  type IChartApi,
  type ISeriesApi,
  type PriceFormat,
  type SeriesType,
} from "lightweight-charts";
import type { Bar } from "@/domain/candles";
import type { ChartStyle } from "@/domain/chartStyle";
import type { Anchor, Drawing } from "@/domain/drawing";
import type { Study } from "@/domain/study";
import { Axis } from "./axis";
import type { Point } from "./brush";
import { coloured, FIXED, RIGHT_SPACE_BARS, written, type AxisTexts } from "./chartOptions";
import { DrawingLayer } from "./drawingLayer";
import { ExpiryMark, type Expiry } from "./expiryMark";
import type { Palette } from "./palette";
import { PositionMarks, type PositionMark } from "./positionMarks";
import { addPriceSeries, drawnBar, paintPriceSeries } from "./priceSeries";
import { SessionBreaks } from "./sessionBreaks";
import { StudySeries, type StudyReading } from "./studySeries";

/** What the chart says at the crosshair, or at the newest bar when there is none. */
export interface Reading {
  readonly bar: Bar;
  /** The close before it; absent for the first. */
  readonly before: number | undefined;
  readonly priceScale: number;
  readonly studies: readonly StudyReading[];
  /** Whether the newest bar is in view. */
  readonly current: boolean;
}

/** What a chart tells. */
export interface ChartListener {
  /** The user looks at the beginning of what is loaded; told again and again. */
  older(): void;
  /** Told at most once a frame. */
  read(reading: Reading): void;
}

const FIRST_BARS = 90;
const OLDER_WHEN_BARS_LEFT = 40;

/** The price chart on a canvas: with its parts, the only place that knows the drawing library. */
export class PriceChart {
  private readonly chart: IChartApi;
  private readonly axis: Axis;
  private readonly studySeries: StudySeries;
  private readonly positions: PositionMarks;
  private readonly expiry: ExpiryMark;
  private readonly sessions: SessionBreaks;
  private readonly drawings: DrawingLayer;
  private series: ISeriesApi<SeriesType>;
  private style: ChartStyle = "candles";
  private studies: readonly Study[] = [];
  private bars: readonly Bar[] = [];
  private priceScale = 0;
  private live = true;
  private current = true;
  private pointed: number | undefined;
  private grownFrom = Infinity;
  private frame = 0;

  constructor(
    container: HTMLElement,
    private palette: Palette,
    private texts: AxisTexts,
    private readonly listener: ChartListener,
  ) {
    this.chart = createChart(container, FIXED);
    this.axis = new Axis(this.chart);
    this.series = addPriceSeries(this.chart, this.style);
    this.studySeries = new StudySeries(this.chart);
    this.sessions = new SessionBreaks(this.axis, palette);
    this.expiry = new ExpiryMark(this.axis, palette);
    this.drawings = new DrawingLayer(this.axis, palette, (price) =>
      this.texts.price(price, this.priceScale),
    );
    this.positions = new PositionMarks(this.axis, palette);
    for (const layer of this.layers) this.series.attachPrimitive(layer);
    this.write(texts);
    this.paint(palette);
    this.listen();
  }

  /** Takes on the colours of the theme. */
  paint(palette: Palette): void {
    this.palette = palette;
    this.chart.applyOptions(coloured(palette));
    this.redress();
  }

  /** Writes the axes in another language. */
  write(texts: AxisTexts): void {
    this.texts = texts;
    this.chart.applyOptions(written(texts));
  }

  /** Draws prices in another way, and these studies with them. */
  dress(style: ChartStyle, studies: readonly Study[]): void {
    this.studies = studies;
    if (style !== this.style) {
      this.style = style;
      // The new one first: a pane that is left without a series disappears.
      const before = this.series;
      for (const layer of this.layers) before.detachPrimitive(layer);
      this.series = addPriceSeries(this.chart, style);
      for (const layer of this.layers) this.series.attachPrimitive(layer);
      this.chart.removeSeries(before);
    }
    this.redress();
  }

  /** Shows these bars: where the user was looking, or `fresh`, from the newest ones. */
  replace(bars: readonly Bar[], priceScale: number, interval: number, fresh: boolean): void {
    const sameFormat = priceScale === this.priceScale;
    this.bars = bars;
    this.priceScale = priceScale;
    this.axis.measure(bars, interval);
    if (sameFormat) this.draw();
    else this.redress();
    if (!fresh) return;
    this.chart.timeScale().applyOptions({ secondsVisible: interval < 60 });
    this.chart.priceScale("right").applyOptions({ autoScale: true });
    this.chart.timeScale().setVisibleLogicalRange({
      from: bars.length - FIRST_BARS,
      to: bars.length + RIGHT_SPACE_BARS,
    });
  }

  /** Shows more of the past, without moving what is in view. */
  prepend(bars: readonly Bar[], interval: number, added: number): void {
    const scale = this.chart.timeScale();
    const range = scale.getVisibleLogicalRange();
    this.bars = bars;
    this.axis.measure(bars, interval);
    this.draw();
    if (range !== null) {
      scale.setVisibleLogicalRange({ from: range.from + added, to: range.to + added });
    }
  }

  /** Shows that bars from `from` on have changed: with the next frame, however often. */
  grow(from: number): void {
    this.grownFrom = Math.min(this.grownFrom, from);
    this.readSoon();
  }

  showPositions(marks: readonly PositionMark[]): void {
    this.positions.show(marks, this.palette);
  }

  showExpiry(expiry: Expiry | undefined): void {
    this.expiry.show(expiry, this.palette);
  }

  showSessions(opens: readonly number[]): void {
    this.sessions.show(opens, this.palette);
  }

  showDrawings(drawings: readonly Drawing[], selected: string | undefined): void {
    this.drawings.show(drawings, selected, this.palette);
  }

  /** Greys the price line while the price is not live. */
  setLive(live: boolean): void {
    this.live = live;
    this.series.applyOptions({
      priceLineColor: live ? this.palette.accent : this.palette.muted,
    });
  }

  /** Goes back to the newest bar, as near as the user was looking. */
  goToNow(): void {
    const scale = this.chart.timeScale();
    const range = scale.getVisibleLogicalRange();
    const to = this.bars.length + RIGHT_SPACE_BARS;
    if (range !== null) scale.setVisibleLogicalRange({ from: to - (range.to - range.from), to });
  }

  /** Time and price at a point of the price pane; `undefined` outside of it. */
  anchorAt({ x, y }: Point): Anchor | undefined {
    const { width, height } = this.chart.paneSize(0);
    if (x < 0 || y < 0 || x > width || y > height) return undefined;
    const [time, price] = [this.axis.seconds(x), this.series.coordinateToPrice(y)];
    return time === undefined || price === null ? undefined : { time, price };
  }

  /** Time and price at shares of the price pane's width and height. */
  anchorAtShare(across: number, down: number): Anchor | undefined {
    const { width, height } = this.chart.paneSize(0);
    return this.anchorAt({ x: across * width, y: down * height });
  }

  /** The drawing at a point, and which part of it. */
  drawingAt(point: Point, touch: boolean): ReturnType<DrawingLayer["at"]> {
    return this.anchorAt(point) && this.drawings.at(point, touch);
  }

  remove(): void {
    cancelAnimationFrame(this.frame);
    this.chart.remove();
  }

  private get layers(): (SessionBreaks | ExpiryMark | DrawingLayer | PositionMarks)[] {
    return [this.sessions, this.expiry, this.drawings, this.positions];
  }

  private listen(): void {
    const scale = this.chart.timeScale();
    scale.subscribeVisibleLogicalRangeChange((range) => {
      if (range !== null && range.from < OLDER_WHEN_BARS_LEFT) this.listener.older();
      this.readSoon();
    });
    scale.subscribeSizeChange(() => {
      this.readSoon();
    });
    this.chart.subscribeCrosshairMove(({ logical, point }) => {
      this.pointed = point && logical;
      this.readSoon();
    });
  }

  private readSoon(): void {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.flush();
      this.read();
    });
  }

  /** Gives the library the bars that have changed since the last frame. */
  private flush(): void {
    const from = this.grownFrom;
    this.grownFrom = Infinity;
    if (from >= this.bars.length) return;
    for (const bar of this.bars.slice(from)) {
      this.series.update(drawnBar(bar, this.style, this.palette));
    }
    this.studySeries.update(this.bars, from);
  }

  private read(): void {
    const newest = this.bars.length - 1;
    const index = Math.min(this.pointed ?? newest, newest);
    const bar = this.bars[index];
    if (bar === undefined) return;
    const range = this.chart.timeScale().getVisibleLogicalRange();
    const current = range === null || range.to >= newest;
    if (current !== this.current) {
      this.current = current;
      // The library would show the last price in view there, which is not the last one.
      this.series.applyOptions({ lastValueVisible: current });
    }
    this.listener.read({
      bar,
      before: this.bars[index - 1]?.close,
      priceScale: this.priceScale,
      studies: this.studySeries.read(index),
      current,
    });
  }

  /** Draws everything anew, in the colours and the style of now. */
  private redress(): void {
    paintPriceSeries(this.series, this.style, this.palette);
    this.setLive(this.live);
    const priceFormat: PriceFormat = {
      type: "custom",
      minMove: 10 ** -this.priceScale,
      formatter: (price: number) => this.texts.price(price, this.priceScale),
    };
    this.series.applyOptions({ priceFormat, lastValueVisible: this.current });
    this.studySeries.choose(this.studies, this.palette, priceFormat);
    this.draw();
  }

  /** Draws all bars, and what is calculated from them. */
  private draw(): void {
    this.grownFrom = Infinity;
    const before = this.bars.at(-FIRST_BARS) ?? this.bars[0];
    if (this.style === "baseline") {
      this.series.applyOptions({ baseValue: { type: "price", price: before?.close ?? 0 } });
    }
    this.series.setData(this.bars.map((bar) => drawnBar(bar, this.style, this.palette)));
    this.studySeries.replace(this.bars);
    this.readSoon();
  }
}
