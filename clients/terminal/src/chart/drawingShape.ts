import { FIBONACCI_SHARES, type DrawingKind } from "@/domain/drawing";
import type { Point, Size } from "./brush";

export interface Segment {
  readonly from: Point;
  readonly to: Point;
  /** What is written at its left end: a share of a Fibonacci retracement. */
  readonly share?: number;
}

/** How a drawing lies in the pane. */
export interface Shape {
  readonly segments: readonly Segment[];
  /** Two opposite corners of what is tinted. */
  readonly area?: readonly [Point, Point];
  readonly handles: readonly Point[];
}

/** The shape of a drawing whose anchors lie at these points of a pane; `undefined` for too few. */
export function shapeOf(
  kind: DrawingKind,
  handles: readonly Point[],
  size: Size,
): Shape | undefined {
  const [first, second = first] = handles;
  if (first === undefined || second === undefined) return undefined;
  switch (kind) {
    case "trend":
      return { segments: [{ from: first, to: second }], handles };
    case "ray":
      return { segments: [{ from: first, to: beyond(first, second, size) }], handles };
    case "horizontal":
      return { segments: [level(0, size.width, first.y)], handles: [{ x: first.x, y: first.y }] };
    case "rectangle":
      return { segments: sides(first, second), area: [first, second], handles };
    case "fibonacci":
      return { segments: retracement(first, second), area: [first, second], handles };
  }
}

/** Which part of a shape lies at a point: one of its handles by number, or the rest of it. */
export function partAt(shape: Shape, point: Point, reach: number): number | "body" | undefined {
  const handle = shape.handles.findIndex((each) => distance(each, point) <= reach * 1.5);
  if (handle !== -1) return handle;
  return shape.segments.some((segment) => distanceTo(segment, point) <= reach) ? "body" : undefined;
}

/** Where a ray that starts at `from` and goes through `through` leaves the pane. */
export function beyond(from: Point, through: Point, { width, height }: Size): Point {
  const [dx, dy] = [through.x - from.x, through.y - from.y];
  if (dx === 0 && dy === 0) return through;
  const until = (position: number, step: number, end: number): number =>
    step === 0 ? Infinity : ((step > 0 ? end : 0) - position) / step;
  const times = Math.max(1, Math.min(until(from.x, dx, width), until(from.y, dy, height)));
  return { x: from.x + dx * times, y: from.y + dy * times };
}

/** How far a point is from the nearest point of a segment. */
export function distanceTo({ from, to }: Segment, point: Point): number {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const square = dx * dx + dy * dy;
  const along = square === 0 ? 0 : ((point.x - from.x) * dx + (point.y - from.y) * dy) / square;
  const share = Math.min(1, Math.max(0, along));
  return distance({ x: from.x + share * dx, y: from.y + share * dy }, point);
}

function distance(left: Point, right: Point): number {
  return Math.hypot(left.x - right.x, left.y - right.y);
}

function level(left: number, right: number, y: number): Segment {
  return { from: { x: left, y }, to: { x: right, y } };
}

function sides(first: Point, second: Point): Segment[] {
  const [left, right] = [
    { x: first.x, y: second.y },
    { x: second.x, y: first.y },
  ];
  return [
    { from: first, to: right },
    { from: right, to: second },
    { from: second, to: left },
    { from: left, to: first },
  ];
}

/** From the end of the move (0) back to its beginning (1), and the move itself. */
function retracement(first: Point, second: Point): Segment[] {
  const [left, right] = [Math.min(first.x, second.x), Math.max(first.x, second.x)];
  return FIBONACCI_SHARES.map((share) => ({
    ...level(left, right, second.y + share * (first.y - second.y)),
    share,
  }));
}
