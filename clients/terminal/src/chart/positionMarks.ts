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
          for (const mark of this.marks) {
            const place = placeOf(mark, chart, series);
            if (place !== undefined) draw(context, mark, place, mediaSize.width, this.palette);
          }
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

function draw(
  context: CanvasRenderingContext2D,
  mark: PositionMark,
  { entryX, entryY, endX, close }: Place,
  width: number,
  palette: Palette,
): void {
  const way = mark.direction === "UP" ? palette.up : palette.down;
  const tones = { winning: palette.up, losing: palette.down, even: palette.muted };
  const tone = tones[mark.tone];
  context.lineWidth = 1.5;
  context.strokeStyle = way;
  line(context, [entryX, entryY], [Math.min(endX, width), entryY]);
  dot(context, entryX, entryY, way, palette.panel);
  if (close === undefined) {
    context.strokeStyle = way;
    context.setLineDash([2, 4]);
    line(context, [endX, 0], [endX, context.canvas.height]);
    context.setLineDash([]);
  } else {
    context.strokeStyle = tone;
    line(context, [close.x, entryY], [close.x, close.y]);
    dot(context, close.x, close.y, tone, palette.panel);
  }
  const solids = { winning: palette.upSolid, losing: palette.downSolid, even: palette.muted };
  const anchor = close === undefined ? entryX : close.x;
  pill(context, mark, { x: anchor, y: entryY, width }, solids[mark.tone]);
}

function line(
  context: CanvasRenderingContext2D,
  from: readonly [number, number],
  to: readonly [number, number],
): void {
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(...to);
  context.stroke();
}

function dot(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  fill: string,
  border: string,
): void {
  context.beginPath();
  context.arc(x, y, 4.5, 0, 2 * Math.PI);
  context.fillStyle = fill;
  context.fill();
  context.lineWidth = 2;
  context.strokeStyle = border;
  context.stroke();
  context.lineWidth = 1.5;
}

/** The label in a filled box, left of the anchor, kept inside the pane. */
function pill(
  context: CanvasRenderingContext2D,
  mark: PositionMark,
  at: { readonly x: number; readonly y: number; readonly width: number },
  colour: string,
): void {
  const text = `${mark.direction === "UP" ? "▲" : "▼"} ${mark.label}`;
  context.font = "600 11px ui-sans-serif, system-ui, sans-serif";
  const wide = context.measureText(text).width + 14;
  const left = Math.min(Math.max(at.x - wide - 10, 4), at.width - wide - 4);
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(left, at.y - 10, wide, 20, 6);
  context.fill();
  context.fillStyle = "#ffffff";
  context.textBaseline = "middle";
  context.fillText(text, left + 7, at.y + 0.5);
}
