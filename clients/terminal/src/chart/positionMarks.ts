import { spreadOut } from "@/domain/labels";
import type { Axis } from "./axis";
import { dot, line, pill, type Point, type Size } from "./brush";
import { Layer } from "./layer";
import type { Palette } from "./palette";

/** What the chart shows of one order. Prices are for drawing; times in seconds. */
export interface PositionMark {
  readonly direction: "UP" | "DOWN";
  readonly entry: { readonly time: number; readonly price: number };
  readonly expiry: number;
  /** Beside the line, such as `$10 · 0:08` while open and `+$8.50` once closed. */
  readonly label: string;
  readonly tone: "winning" | "losing" | "even";
  /** The tick that it closed with; absent while open and where no price was to be trusted. */
  readonly close?: { readonly time: number; readonly price: number };
  readonly open: boolean;
}

/** Labels stand at least so many pixels apart. */
const LABEL_ROW = 22;
const RING = 8;

interface Place {
  readonly entry: Point;
  readonly endX: number;
  readonly close: Point | undefined;
}

/** Draws orders over the candles: entry, the way to expiry, and how it stands or ended. */
export class PositionMarks extends Layer {
  private marks: readonly PositionMark[] = [];

  constructor(
    private readonly axis: Axis,
    private palette: Palette,
  ) {
    super("top");
  }

  show(marks: readonly PositionMark[], palette: Palette): void {
    this.marks = marks;
    this.palette = palette;
    this.refresh();
  }

  protected paint(context: CanvasRenderingContext2D, size: Size): void {
    const placed = this.marks.flatMap((mark) => {
      const place = this.place(mark);
      return place === undefined || place.endX < 0 ? [] : [{ mark, place }];
    });
    const rows = spreadOut(
      placed.map(({ place }) => place.entry.y),
      LABEL_ROW,
    );
    for (const { mark, place } of placed) this.drawWay(context, mark, place, size);
    placed.forEach(({ mark, place }, index) => {
      this.drawLabel(context, mark, place, rows[index] ?? place.entry.y, size);
    });
  }

  private place({ entry, expiry, close }: PositionMark): Place | undefined {
    const [at, endX] = [this.point(entry), this.axis.x(expiry)];
    if (at === undefined || endX === undefined) return undefined;
    return { entry: at, endX, close: close && this.point(close) };
  }

  private point({ time, price }: { time: number; price: number }): Point | undefined {
    const [x, y] = [this.axis.x(time), this.y(price)];
    return x === undefined || y === undefined ? undefined : { x, y };
  }

  private drawWay(
    context: CanvasRenderingContext2D,
    mark: PositionMark,
    { entry, endX, close }: Place,
    { width, height }: Size,
  ): void {
    const { palette } = this;
    const way = mark.direction === "UP" ? palette.up : palette.down;
    line(context, entry, { x: Math.min(endX, width), y: entry.y }, way);
    if (mark.open) {
      line(context, { x: endX, y: 0 }, { x: endX, y: height }, way, { dash: [2, 4] });
    }
    if (close !== undefined) {
      const tone = { winning: palette.up, losing: palette.down, even: palette.muted }[mark.tone];
      line(context, { x: close.x, y: entry.y }, close, tone, { dash: [3, 3] });
      dot(context, close, tone, palette.panel);
      context.beginPath();
      context.arc(close.x, close.y, RING, 0, 2 * Math.PI);
      context.lineWidth = 1.5;
      context.strokeStyle = tone;
      context.stroke();
    }
    dot(context, entry, way, palette.panel);
  }

  private drawLabel(
    context: CanvasRenderingContext2D,
    mark: PositionMark,
    { entry, close }: Place,
    row: number,
    { width }: Size,
  ): void {
    const { upSolid, downSolid, evenSolid } = this.palette;
    const fill = { winning: upSolid, losing: downSolid, even: evenSolid }[mark.tone];
    const text = `${mark.direction === "UP" ? "▲" : "▼"} ${mark.label}`;
    const x = Math.min(entry.x, close?.x ?? entry.x) - 10;
    pill(context, text, { x, y: row, width }, { fill, ink: "#ffffff" });
  }
}
