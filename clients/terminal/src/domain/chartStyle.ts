/** The ways to draw prices. */
export const CHART_STYLES = ["candles", "hollow", "bars", "line", "area", "baseline"] as const;

export type ChartStyle = (typeof CHART_STYLES)[number];

/** What can be calculated from prices and drawn with them. */
export const INDICATORS = ["sma", "ema", "bollinger", "rsi"] as const;

export type Indicator = (typeof INDICATORS)[number];
