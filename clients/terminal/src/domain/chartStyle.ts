/** The ways to draw prices. */
export const CHART_STYLES = ["candles", "hollow", "bars", "line", "area", "baseline"] as const;

export type ChartStyle = (typeof CHART_STYLES)[number];
