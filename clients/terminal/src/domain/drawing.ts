/** What a user may draw over prices. */
export const DRAWING_KINDS = ["trend", "ray", "horizontal", "rectangle", "fibonacci"] as const;

export type DrawingKind = (typeof DRAWING_KINDS)[number];

/** A point that a drawing hangs on: seconds since the epoch, and a price for drawing. */
export interface Anchor {
  readonly time: number;
  readonly price: number;
}

export interface Drawing {
  readonly id: string;
  readonly kind: DrawingKind;
  readonly anchors: readonly Anchor[];
}

/** How many are kept of one instrument. */
export const DRAWINGS_MAX = 50;

/** Where lines lie between the two ends of a move, as shares of it. */
export const FIBONACCI_SHARES = [0, 0.236, 0.382, 0.5, 0.618, 0.786, 1] as const;

/** How many points a drawing hangs on. */
export function anchorCount(kind: DrawingKind): 1 | 2 {
  return kind === "horizontal" ? 1 : 2;
}

/** A drawing as a whole, somewhere else. */
export function moved(drawing: Drawing, seconds: number, price: number): Drawing {
  const anchors = drawing.anchors.map((anchor) => ({
    time: anchor.time + seconds,
    price: anchor.price + price,
  }));
  return { ...drawing, anchors };
}

/** A drawing with one of its points somewhere else. */
export function reshaped(drawing: Drawing, index: number, anchor: Anchor): Drawing {
  return { ...drawing, anchors: drawing.anchors.with(index, anchor) };
}

/** What was kept of drawings, without what this version cannot draw. */
export function readDrawings(kept: unknown): Drawing[] {
  return Array.isArray(kept) ? kept.filter(isDrawing).slice(0, DRAWINGS_MAX) : [];
}

function isDrawing(kept: unknown): kept is Drawing {
  if (typeof kept !== "object" || kept === null) return false;
  const { id, kind, anchors } = kept as Partial<Record<keyof Drawing, unknown>>;
  if (typeof id !== "string" || !Array.isArray(anchors)) return false;
  const known = DRAWING_KINDS.find((each) => each === kind);
  return known !== undefined && anchors.length === anchorCount(known) && anchors.every(isAnchor);
}

function isAnchor(kept: unknown): kept is Anchor {
  if (typeof kept !== "object" || kept === null) return false;
  const { time, price } = kept as Partial<Record<keyof Anchor, unknown>>;
  return Number.isFinite(time) && Number.isFinite(price);
}
