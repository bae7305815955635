import type { Bar } from "./candles";
import { atr, bollinger, ema, macd, rsi, sma, stochastic, type Values } from "./indicators";

/** A number that the user may change. */
export interface Parameter {
  readonly name: "period" | "width" | "fast" | "slow" | "signal" | "smoothing";
  readonly initial: number;
  readonly min: number;
  readonly max: number;
  readonly step: number;
}

/** One of the lines that an indicator draws. */
export interface Curve {
  readonly look: "line" | "faint" | "columns";
  /** How far its colour is from the first one of its study; absent for the same. */
  readonly shade?: number;
}

/** What can be drawn with prices: its parameters, its lines, and how they are calculated. */
export interface Indicator {
  readonly parameters: readonly Parameter[];
  readonly curves: readonly Curve[];
  /** Lines of its own scale, under the prices; absent where it is drawn over them. */
  readonly levels?: readonly number[];
  /** Decimals of its values; absent where they are prices. */
  readonly decimals?: number;
  /** The values of each curve, for settings in the order of `parameters`. */
  readonly calculate: (bars: readonly Bar[], settings: readonly number[]) => readonly Values[];
  /** After so many bars, what lay before them no longer shows in a value. */
  readonly memory: (settings: readonly number[]) => number;
}

const period = (initial: number): Parameter => whole("period", initial, 500);

function whole(name: Parameter["name"], initial: number, max: number): Parameter {
  return { name, initial, min: 1, max, step: 1 };
}

const closes = (bars: readonly Bar[]): number[] => bars.map(({ close }) => close);
const sum = (settings: readonly number[]): number => settings.reduce((left, right) => left + right);
/** An exponential mean forgets to a billionth within so many of its periods. */
const FORGETS = 21;

const LINE: Curve = { look: "line" };

export const INDICATORS = {
  sma: {
    parameters: [period(20)],
    curves: [LINE],
    calculate: (bars, [n = 20]) => [sma(closes(bars), n)],
    memory: sum,
  },
  ema: {
    parameters: [period(20)],
    curves: [LINE],
    calculate: (bars, [n = 20]) => [ema(closes(bars), n)],
    memory: (settings) => FORGETS * sum(settings),
  },
  bollinger: {
    parameters: [period(20), { name: "width", initial: 2, min: 0.5, max: 5, step: 0.5 }],
    curves: [{ look: "faint" }, LINE, LINE],
    calculate: (bars, [n = 20, width = 2]) => {
      const { middle, upper, lower } = bollinger(closes(bars), n, width);
      return [middle, upper, lower];
    },
    memory: sum,
  },
  rsi: {
    parameters: [period(14)],
    curves: [LINE],
    levels: [30, 70],
    decimals: 1,
    calculate: (bars, [n = 14]) => [rsi(closes(bars), n)],
    memory: (settings) => FORGETS * sum(settings),
  },
  macd: {
    parameters: [whole("fast", 12, 200), whole("slow", 26, 300), whole("signal", 9, 100)],
    curves: [LINE, { look: "line", shade: 1 }, { look: "columns" }],
    levels: [0],
    calculate: (bars, [fast = 12, slow = 26, signal = 9]) => {
      const values = macd(closes(bars), fast, slow, signal);
      return [values.macd, values.signal, values.histogram];
    },
    memory: (settings) => FORGETS * sum(settings),
  },
  stochastic: {
    parameters: [period(14), whole("smoothing", 3, 50), whole("signal", 3, 50)],
    curves: [LINE, { look: "line", shade: 1 }],
    levels: [20, 80],
    decimals: 1,
    calculate: (bars, [n = 14, smoothing = 3, signal = 3]) => {
      const { k, d } = stochastic(bars, n, smoothing, signal);
      return [k, d];
    },
    memory: sum,
  },
  atr: {
    parameters: [period(14)],
    curves: [LINE],
    levels: [],
    calculate: (bars, [n = 14]) => [atr(bars, n)],
    memory: (settings) => FORGETS * sum(settings),
  },
} as const satisfies Readonly<Record<string, Indicator>>;

export type IndicatorKind = keyof typeof INDICATORS;

export const INDICATOR_KINDS = Object.keys(INDICATORS) as IndicatorKind[];

/** An indicator on the chart, with the numbers its user chose. */
export interface Study {
  readonly id: string;
  readonly kind: IndicatorKind;
  readonly settings: readonly number[];
  /** Which of the colours for curves it has. */
  readonly colour: number;
}

/** More would hide the prices. */
export const STUDIES_MAX = 8;
export const STUDY_COLOURS = 6;

export function indicatorOf({ kind }: Pick<Study, "kind">): Indicator {
  return INDICATORS[kind];
}

/** The studies with one more, in a colour that none has as long as there is one. */
export function withStudy(studies: readonly Study[], kind: IndicatorKind, id: string): Study[] {
  if (studies.length >= STUDIES_MAX) return [...studies];
  const taken = new Set(studies.map(({ colour }) => colour));
  const colours = Array.from({ length: STUDY_COLOURS }, (_, colour) => colour);
  const colour = colours.find((each) => !taken.has(each)) ?? studies.length % STUDY_COLOURS;
  const settings = indicatorOf({ kind }).parameters.map(({ initial }) => initial);
  return [...studies, { id, kind, settings, colour }];
}

/** A number as a parameter allows it, or `undefined` for what is none. */
export function settled(value: number, { min, max, step }: Parameter): number | undefined {
  if (!Number.isFinite(value)) return undefined;
  return Math.min(max, Math.max(min, Math.round(value / step) * step));
}

/** What was kept of studies, without what this version cannot draw. */
export function readStudies(kept: unknown): Study[] {
  return Array.isArray(kept) ? kept.filter(isStudy).slice(0, STUDIES_MAX) : [];
}

function isStudy(kept: unknown): kept is Study {
  if (typeof kept !== "object" || kept === null) return false;
  const { id, kind, settings, colour } = kept as Partial<Record<keyof Study, unknown>>;
  if (typeof id !== "string" || !Number.isInteger(colour)) return false;
  if (typeof kind !== "string" || !Object.hasOwn(INDICATORS, kind)) return false;
  const { parameters } = indicatorOf({ kind: kind as IndicatorKind });
  if (!Array.isArray(settings) || settings.length !== parameters.length) return false;
  return parameters.every((parameter, index) => {
    const value: unknown = settings[index];
    return typeof value === "number" && settled(value, parameter) === value;
  });
}
