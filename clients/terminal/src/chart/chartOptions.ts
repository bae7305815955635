import {
  ColorType,
  CrosshairMode,
  type ChartOptions,
  type DeepPartial,
  type TickMarkType,
  type Time,
} from "lightweight-charts";
import type { Palette } from "./palette";

/** How prices and times are written on the axes; times in seconds since the epoch. */
export interface AxisTexts {
  readonly price: (price: number, decimals: number) => string;
  readonly full: (seconds: number) => string;
  readonly tick: (seconds: number, kind: TickKind) => string;
}

export type TickKind = "year" | "month" | "day" | "minute" | "second";

/** In the order of the library's own numbers for them. */
const TICK_KINDS: readonly TickKind[] = ["year", "month", "day", "minute", "second"];

/** Bars that are left empty after the newest one, for what lies ahead. */
export const RIGHT_SPACE_BARS = 12;

/** What never changes about the chart. */
export const FIXED: DeepPartial<ChartOptions> = {
  autoSize: true,
  // Its logo brings a style sheet of its own, which the page's policy refuses; the page names
  // the library itself (ChartAttribution).
  layout: { attributionLogo: false },
  crosshair: { mode: CrosshairMode.Normal },
  rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.2, bottom: 0.14 } },
  timeScale: {
    timeVisible: true,
    secondsVisible: true,
    rightOffset: RIGHT_SPACE_BARS,
    borderVisible: false,
    minBarSpacing: 1,
  },
};

/** The colours of everything but the prices. */
export function coloured(palette: Palette): DeepPartial<ChartOptions> {
  const grid = { color: `${palette.line}73` };
  const hair = { color: palette.muted, labelBackgroundColor: palette.evenSolid };
  return {
    layout: {
      background: { type: ColorType.Solid, color: palette.panel },
      textColor: palette.muted,
      fontFamily: getComputedStyle(document.body).fontFamily,
      fontSize: 11,
      panes: { separatorColor: palette.line, separatorHoverColor: palette.line },
    },
    grid: { vertLines: grid, horzLines: grid },
    crosshair: { vertLine: hair, horzLine: hair },
  };
}

/** How times are written. */
export function written({ full, tick }: AxisTexts): DeepPartial<ChartOptions> {
  return {
    localization: { timeFormatter: (time: Time) => full(time as number) },
    timeScale: {
      tickMarkFormatter: (time: Time, kind: TickMarkType) =>
        tick(time as number, TICK_KINDS[kind] ?? "minute"),
    },
  };
}
