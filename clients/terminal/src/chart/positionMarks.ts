import type {
  IChartApi,
  IPrimitivePaneRenderer,
  IPrimitivePaneView,
  ISeriesApi,
  ISeriesPrimitive,
  Logical,
  SeriesAttachedParameter,
  SeriesType,
} from "lightweight-charts";
import { spreadOut } from "@/domain/labels";
import { dot, line, pill, type Size } from "./brush";
import type { Palette } from "./palette";

/** What the chart shows of one order. Prices are for drawing; positions are on the axis of bars. */
export interface PositionMark {
  readonly direction: "UP" | "DOWN";
  readonly entryPrice: number;
  readonly entryPosition: number;
  readonly expiryPosition: number;
  /** Beside the line, such as `$10 · 0:08` while open and `+$8.50` once closed. */
  readonly label: string;
  readonly tone: "winning" | "losing" | "even";
  /** Where it closed; absent while open. */
  readonly close?: { readonly position: number; readonly price: number };
}

/** Labels stand at least so many pixels apart. */
const LABEL_ROW = 22;

type Target = Parameters<IPrimitivePaneRenderer["draw"]>[0];

/** Draws orders over the candles: entry, the way to expiry, and how it stands or ended. */
export class PositionMarks implements ISeriesPrimitive, IPrimitivePaneView {
  private marks: readonly PositionMark[] = [];
  private attachedTo: SeriesAttachedParameter | undefined;

  constructor(private palette: Palette) {}

  attached(parameter: SeriesAttachedParameter): void {
    this.attachedTo = parameter;
  }

  detached(): void {
    this.attachedTo = undefined;
  }

  show(marks: readonly PositionMark[], palette: Palette): void {
    this.marks = marks;
    this.palette = palette;
    this.attachedTo?.requestUpdate();
  }

  paneViews(): readonly IPrimitivePaneView[] {
    return [this];
  }

  zOrder(): "top" {
    return "top";
  }

  renderer(): IPrimitivePaneRenderer | null {
    const attachedTo = this.attachedTo;
    if (attachedTo === undefined || this.marks.length === 0) return null;
    const { chart, series } = attachedTo;
    return {
      draw: (target: Target) => {
        target.useMediaCoordinateSpace(({ context, mediaSize }) => {
          const placed = this.marks.flatMap((mark) => {
            const place = placeOf(mark, chart, series);
            return place === undefined ? [] : [{ mark, place }];
          });
          const rows = spreadOut(
            placed.map(({ place }) => place.entryY),
            LABEL_ROW,
          );
          placed.forEach(({ mark, place }, index) => {
            drawLines(context, mark, place, mediaSize, this.palette);
            drawLabel(context, mark, place, rows[index] ?? place.entryY, mediaSize, this.palette);
          });
        });
      },
    };
  }
}

interface Place {
  readonly entryX: number;
  readonly entryY: number;
  readonly endX: number;
  readonly close: { readonly x: number; readonly y: number } | undefined;
}

function placeOf(
  mark: PositionMark,
  chart: IChartApi,
  series: ISeriesApi<SeriesType>,
): Place | undefined {
  const x = (position: number): number | null => coordinate(chart, position);
  const [entryX, endX, entryY] = [
    x(mark.entryPosition),
    x(mark.expiryPosition),
    series.priceToCoordinate(mark.entryPrice),
  ];
  if (entryX === null || endX === null || entryY === null) return undefined;
  const closeX = mark.close && x(mark.close.position);
  const closeY = mark.close && series.priceToCoordinate(mark.close.price);
  const close = closeX != null && closeY != null ? { x: closeX, y: closeY } : undefined;
  return { entryX, entryY, endX, close };
}

/** Where a position on the axis is in the pane: the library itself places whole bars only. */
function coordinate(chart: IChartApi, position: number): number | null {
  // A bar is drawn around its whole number, and begins half a bar before it.
  const place = position - 0.5;
  const whole = Math.floor(place);
  const left = chart.timeScale().logicalToCoordinate(whole as Logical);
  const right = chart.timeScale().logicalToCoordinate((whole + 1) as Logical);
  return left === null || right === null ? null : left + (right - left) * (place - whole);
}

function drawLines(
  context: CanvasRenderingContext2D,
  mark: PositionMark,
  { entryX, entryY, endX, close }: Place,
  { width, height }: Size,
  palette: Palette,
): void {
  const way = mark.direction === "UP" ? palette.up : palette.down;
  line(context, [entryX, entryY], [Math.min(endX, width), entryY], way);
  if (close === undefined) {
    context.setLineDash([2, 4]);
    line(context, [endX, 0], [endX, height], way);
    context.setLineDash([]);
  } else {
    const tone = { winning: palette.up, losing: palette.down, even: palette.muted }[mark.tone];
    line(context, [close.x, entryY], [close.x, close.y], tone);
    dot(context, close, tone, palette.panel);
  }
  dot(context, { x: entryX, y: entryY }, way, palette.panel);
}

function drawLabel(
  context: CanvasRenderingContext2D,
  mark: PositionMark,
  { entryX, close }: Place,
  row: number,
  { width }: Size,
  palette: Palette,
): void {
  const { upSolid, downSolid, evenSolid } = palette;
  const colour = { winning: upSolid, losing: downSolid, even: evenSolid }[mark.tone];
  const text = `${mark.direction === "UP" ? "▲" : "▼"} ${mark.label}`;
  pill(context, text, { x: Math.min(entryX, close?.x ?? entryX), y: row, width }, colour);
}
