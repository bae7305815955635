import {
  AreaSeries,
  BarSeries,
  BaselineSeries,
  CandlestickSeries,
  LineSeries,
  type IChartApi,
  type ISeriesApi,
  type SeriesDataItemTypeMap,
  type SeriesType,
  type UTCTimestamp,
} from "lightweight-charts";
import type { Bar } from "@/domain/candles";
import type { ChartStyle } from "@/domain/chartStyle";
import type { Palette } from "./palette";

type Point = SeriesDataItemTypeMap[SeriesType];

/** What was generated to give a young chart a past is drawn fainter than what was traded on. */
const FAINT = "73";
const FILL = "33";

/** Adds the series that draws prices in a style. */
export function addPriceSeries(chart: IChartApi, style: ChartStyle): ISeriesApi<SeriesType> {
  switch (style) {
    case "candles":
      return chart.addSeries(CandlestickSeries, { borderVisible: false }, 0);
    case "hollow":
      return chart.addSeries(CandlestickSeries, { borderVisible: true }, 0);
    case "bars":
      return chart.addSeries(BarSeries, { thinBars: false }, 0);
    case "line":
      return chart.addSeries(LineSeries, { lineWidth: 2 }, 0);
    case "area":
      return chart.addSeries(AreaSeries, { lineWidth: 2 }, 0);
    case "baseline":
      return chart.addSeries(BaselineSeries, { lineWidth: 2 }, 0);
  }
}

/** Gives a price series its colours. */
export function paintPriceSeries(
  series: ISeriesApi<SeriesType>,
  style: ChartStyle,
  { up, down, accent, panel }: Palette,
): void {
  const candles = {
    wickUpColor: up,
    wickDownColor: down,
    borderUpColor: up,
    borderDownColor: down,
  };
  const options = {
    candles: { ...candles, upColor: up, downColor: down },
    hollow: { ...candles, upColor: panel, downColor: down },
    bars: { upColor: up, downColor: down },
    line: { color: accent },
    area: { lineColor: accent, topColor: accent + FILL, bottomColor: `${accent}00` },
    baseline: {
      topLineColor: up,
      topFillColor1: up + FILL,
      topFillColor2: `${up}00`,
      bottomLineColor: down,
      bottomFillColor1: `${down}00`,
      bottomFillColor2: down + FILL,
    },
  };
  series.applyOptions(options[style]);
}

/** A bar as a style draws it. */
export function drawnBar(bar: Bar, style: ChartStyle, palette: Palette): Point {
  const time = bar.time as UTCTimestamp;
  const { open, high, low, close } = bar;
  if (style === "line" || style === "area" || style === "baseline") return { time, value: close };
  const shape = { time, open, high, low, close };
  if (!bar.synthetic) return shape;
  const rises = close >= open;
  const faint = (rises ? palette.up : palette.down) + FAINT;
  if (style === "bars") return { ...shape, color: faint };
  const inside = style === "hollow" && rises ? palette.panel : faint;
  return { ...shape, color: inside, wickColor: faint, borderColor: faint };
}
