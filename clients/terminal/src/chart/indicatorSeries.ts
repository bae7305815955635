import {
  LineSeries,
  LineStyle,
  type IChartApi,
  type ISeriesApi,
  type PriceFormat,
  type UTCTimestamp,
} from "lightweight-charts";
import type { Bar } from "@/domain/candles";
import type { Indicator } from "@/domain/chartStyle";
import { bollinger, ema, rsi, sma, type Values } from "@/domain/indicators";
import type { Palette } from "./palette";

type Colour = "accent" | "warn" | "muted";

interface Curve {
  readonly indicator: Indicator;
  readonly colour: Colour;
  readonly values: (prices: readonly number[]) => Values;
}

const MEAN = 20;
const STRENGTH = 14;

const CURVES: readonly Curve[] = [
  { indicator: "sma", colour: "warn", values: (prices) => sma(prices, MEAN) },
  { indicator: "ema", colour: "accent", values: (prices) => ema(prices, MEAN) },
  { indicator: "bollinger", colour: "muted", values: (prices) => bollinger(prices, MEAN, 2).upper },
  {
    indicator: "bollinger",
    colour: "muted",
    values: (prices) => bollinger(prices, MEAN, 2).middle,
  },
  { indicator: "bollinger", colour: "muted", values: (prices) => bollinger(prices, MEAN, 2).lower },
  { indicator: "rsi", colour: "accent", values: (prices) => rsi(prices, STRENGTH) },
];

/** So many bars give the newest value of any curve to more digits than a screen has. */
const TAIL = 300;
/** Of the height, for what has a scale of its own. */
const OWN_PANE_HEIGHT = 110;

/** The curves over and under the prices. */
export class IndicatorSeries {
  private drawn: { readonly curve: Curve; readonly series: ISeriesApi<"Line"> }[] = [];

  constructor(private readonly chart: IChartApi) {}

  /** Draws these indicators, and no others. */
  choose(indicators: readonly Indicator[], palette: Palette, priceFormat: PriceFormat): void {
    for (const { series } of this.drawn) this.chart.removeSeries(series);
    const curves = CURVES.filter(({ indicator }) => indicators.includes(indicator));
    this.drawn = curves.map((curve) => ({ curve, series: this.add(curve, palette, priceFormat) }));
  }

  /** Shows the curves of all bars. */
  replace(bars: readonly Bar[]): void {
    const prices = bars.map(({ close }) => close);
    for (const { curve, series } of this.drawn) {
      const values = curve.values(prices);
      series.setData(
        bars.flatMap(({ time }, index) => {
          const value = values[index];
          return value === undefined ? [] : [{ time: time as UTCTimestamp, value }];
        }),
      );
    }
  }

  /** Shows where the curves are at the newest bar. */
  update(bars: readonly Bar[]): void {
    const newest = bars.at(-1);
    if (newest === undefined || this.drawn.length === 0) return;
    const prices = bars.slice(-TAIL).map(({ close }) => close);
    for (const { curve, series } of this.drawn) {
      const value = curve.values(prices).at(-1);
      if (value !== undefined) series.update({ time: newest.time as UTCTimestamp, value });
    }
  }

  private add(
    { indicator, colour }: Curve,
    palette: Palette,
    priceFormat: PriceFormat,
  ): ISeriesApi<"Line"> {
    const own = indicator === "rsi";
    const series = this.chart.addSeries(
      LineSeries,
      {
        color: palette[colour],
        lineWidth: 1,
        priceLineVisible: false,
        lastValueVisible: own,
        crosshairMarkerVisible: false,
        ...(own ? { priceFormat: { type: "price", precision: 0, minMove: 1 } } : { priceFormat }),
      },
      own ? 1 : 0,
    );
    if (own) this.frame(series, palette);
    return series;
  }

  /** The two lines beyond which strength is called too much, in a pane of its own. */
  private frame(series: ISeriesApi<"Line">, { muted }: Palette): void {
    for (const price of [30, 70]) {
      series.createPriceLine({
        price,
        color: muted,
        lineWidth: 1,
        lineStyle: LineStyle.Dashed,
        axisLabelVisible: false,
      });
    }
    this.chart.panes()[1]?.setHeight(OWN_PANE_HEIGHT);
  }
}
