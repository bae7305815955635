import {
  HistogramSeries,
  LineSeries,
  LineStyle,
  type IChartApi,
  type ISeriesApi,
  type PriceFormat,
  type UTCTimestamp,
} from "lightweight-charts";
import type { Bar } from "@/domain/candles";
import { indicatorOf, type Curve, type Indicator, type Study } from "@/domain/study";
import type { Palette } from "./palette";

/** What a study is at one bar, for its line in the legend. */
export interface StudyReading {
  readonly study: Study;
  readonly values: readonly (number | undefined)[];
  readonly colours: readonly string[];
  /** Where its pane begins, in pixels from the top of the chart; 0 for that of the prices. */
  readonly top: number;
}

type CurveSeries = ISeriesApi<"Line"> | ISeriesApi<"Histogram">;

interface Drawn {
  readonly study: Study;
  readonly indicator: Indicator;
  readonly pane: number;
  readonly colours: readonly string[];
  readonly series: readonly CurveSeries[];
  /** The values of each curve, bar by bar. */
  values: (number | undefined)[][];
}

const HALF = "80";
/** Of the chart's height, against 3 for the prices. */
const PANE_SHARE = 0.8;
const PRICE_SHARE = 3;

/** The curves over and under the prices. */
export class StudySeries {
  private drawn: readonly Drawn[] = [];

  constructor(private readonly chart: IChartApi) {}

  /** Draws these studies, and no others. */
  choose(studies: readonly Study[], palette: Palette, priceFormat: PriceFormat): void {
    for (const { series } of this.drawn) for (const each of series) this.chart.removeSeries(each);
    let panes = 0;
    this.drawn = studies.map((study) => {
      const indicator = indicatorOf(study);
      const pane = indicator.levels === undefined ? 0 : ++panes;
      const colours = indicator.curves.map((curve) => colourOf(study, curve, palette));
      const series = indicator.curves.map((curve, index) => {
        const colour = (colours[index] ?? "") + (curve.look === "faint" ? HALF : "");
        return this.add(curve, colour, pane, formatOf(indicator, priceFormat));
      });
      drawLevels(series[0], indicator.levels ?? [], palette);
      return { study, indicator, pane, colours, series, values: [] };
    });
    this.chart.panes().forEach((pane, index) => {
      pane.setStretchFactor(index === 0 ? PRICE_SHARE : PANE_SHARE);
    });
  }

  /** Shows the curves of all bars. */
  replace(bars: readonly Bar[]): void {
    for (const drawn of this.drawn) {
      const curves = drawn.indicator.calculate(bars, drawn.study.settings);
      drawn.values = curves.map((values) => [...values]);
      drawn.series.forEach((series, curve) => {
        series.setData(bars.flatMap((bar, index) => pointOf(drawn, curve, bar, index) ?? []));
      });
    }
  }

  /** Shows where the curves are from the bar `from` on; those before have not changed. */
  update(bars: readonly Bar[], from: number): void {
    for (const drawn of this.drawn) {
      const { indicator, study, values, series } = drawn;
      const start = Math.max(0, from - indicator.memory(study.settings) - 1);
      const curves = indicator.calculate(bars.slice(start), study.settings);
      for (let index = from; index < bars.length; index += 1) {
        const bar = bars[index];
        curves.forEach((curve, place) => {
          const column = values[place];
          if (column !== undefined) column[index] = curve[index - start];
          const point = bar && pointOf(drawn, place, bar, index);
          if (point !== undefined) series[place]?.update(point);
        });
      }
    }
  }

  /** What all studies are at a bar. */
  read(index: number): StudyReading[] {
    const tops = this.tops();
    return this.drawn.map(({ study, values, colours, pane }) => ({
      study,
      colours,
      values: values.map((curve) => curve[index]),
      top: tops[pane] ?? 0,
    }));
  }

  private tops(): number[] {
    const separator = 1;
    let top = 0;
    return this.chart.panes().map((pane) => {
      const here = top;
      top += pane.getHeight() + separator;
      return here;
    });
  }

  private add({ look }: Curve, color: string, pane: number, priceFormat: PriceFormat): CurveSeries {
    const common = { color, priceFormat, priceLineVisible: false, lastValueVisible: pane > 0 };
    if (look === "columns") {
      const options = { ...common, lastValueVisible: false, base: 0 };
      return this.chart.addSeries(HistogramSeries, options, pane);
    }
    const lineWidth = pane > 0 || look === "line" ? 1.5 : 1;
    return this.chart.addSeries(
      LineSeries,
      { ...common, lineWidth: lineWidth as 1, crosshairMarkerVisible: false },
      pane,
    );
  }
}

function pointOf(
  { values, colours, indicator }: Drawn,
  curve: number,
  { time }: Bar,
  index: number,
): { time: UTCTimestamp; value: number; color?: string } | undefined {
  const value = values[curve]?.[index];
  if (value === undefined) return undefined;
  const point = { time: time as UTCTimestamp, value };
  if (indicator.curves[curve]?.look !== "columns") return point;
  return { ...point, color: `${colours[value < 0 ? 1 : 0] ?? ""}${HALF}` };
}

function colourOf({ colour }: Study, { shade = 0 }: Curve, { curves }: Palette): string {
  return curves[(colour + shade) % curves.length] ?? "";
}

function formatOf({ decimals }: Indicator, priceFormat: PriceFormat): PriceFormat {
  if (decimals === undefined) return priceFormat;
  return { type: "price", precision: decimals, minMove: 10 ** -decimals };
}

function drawLevels(
  series: CurveSeries | undefined,
  levels: readonly number[],
  { muted }: Palette,
): void {
  for (const price of levels) {
    series?.createPriceLine({
      price,
      color: muted + HALF,
      lineWidth: 1,
      lineStyle: LineStyle.Dashed,
      axisLabelVisible: false,
    });
  }
}
