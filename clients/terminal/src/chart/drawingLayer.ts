import type { Anchor, Drawing } from "@/domain/drawing";
import type { Axis } from "./axis";
import { dot, line, words, type Point, type Size } from "./brush";
import { partAt, shapeOf, type Shape } from "./drawingShape";
import { Layer } from "./layer";
import type { Palette } from "./palette";

const TINT = "1f";
const FINGER = 14;
const POINTER = 6;

/** Draws what the user drew, and knows which of it lies where. */
export class DrawingLayer extends Layer {
  private drawings: readonly Drawing[] = [];
  private selected: string | undefined;
  private size: Size = { width: 0, height: 0 };

  constructor(
    private readonly axis: Axis,
    private palette: Palette,
    /** How a price is written. */
    private readonly write: (price: number) => string,
  ) {
    super("normal");
  }

  show(drawings: readonly Drawing[], selected: string | undefined, palette: Palette): void {
    this.drawings = drawings;
    this.selected = selected;
    this.palette = palette;
    this.refresh();
  }

  /** The drawing at a point of the pane, the latest first, and which part of it. */
  at(point: Point, touch: boolean): { drawing: Drawing; part: number | "body" } | undefined {
    for (const drawing of this.drawings.toReversed()) {
      const shape = this.shape(drawing);
      const part = shape && partAt(shape, point, touch ? FINGER : POINTER);
      if (part !== undefined) return { drawing, part };
    }
    return undefined;
  }

  protected paint(context: CanvasRenderingContext2D, size: Size): void {
    this.size = size;
    for (const drawing of this.drawings) {
      const shape = this.shape(drawing);
      if (shape !== undefined) this.drawShape(context, shape, drawing);
    }
  }

  private shape({ kind, anchors }: Drawing): Shape | undefined {
    const points = anchors.map((anchor) => this.point(anchor));
    return points.every((point) => point !== undefined)
      ? shapeOf(kind, points, this.size)
      : undefined;
  }

  private point({ time, price }: Anchor): Point | undefined {
    const [x, y] = [this.axis.x(time), this.y(price)];
    return x === undefined || y === undefined ? undefined : { x, y };
  }

  private drawShape(
    context: CanvasRenderingContext2D,
    shape: Shape,
    { id, anchors }: Drawing,
  ): void {
    const selected = id === this.selected;
    const { accent, panel, muted } = this.palette;
    if (shape.area !== undefined) {
      const [one, other] = shape.area;
      context.fillStyle = accent + TINT;
      context.fillRect(one.x, one.y, other.x - one.x, other.y - one.y);
    }
    for (const { from, to, share } of shape.segments) {
      const width = share !== undefined ? 1 : selected ? 2 : 1.5;
      line(context, from, to, accent, { width });
      if (share === undefined) continue;
      const text = `${share}   ${this.write(priceAt(anchors, share))}`;
      words(context, text, { x: from.x + 4, y: from.y }, muted);
    }
    if (!selected) return;
    for (const handle of shape.handles) dot(context, handle, panel, accent);
  }
}

/** The price at a share of the way from the second anchor back to the first. */
function priceAt([first, second]: readonly Anchor[], share: number): number {
  const [begin, end] = [first?.price ?? 0, second?.price ?? 0];
  return end + share * (begin - end);
}
