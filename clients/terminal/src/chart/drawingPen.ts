import {
  anchorCount,
  moved,
  reshaped,
  type Anchor,
  type Drawing,
  type DrawingKind,
} from "@/domain/drawing";
import type { Point } from "./brush";

/** Where the pen draws. */
export interface Paper {
  anchorAt(point: Point): Anchor | undefined;
  drawingAt(point: Point, touch: boolean): { drawing: Drawing; part: number | "body" } | undefined;
}

/** What the pen does with drawings. */
export interface PenActions {
  /** The tool that is chosen, if any. */
  tool(): DrawingKind | undefined;
  add(kind: DrawingKind, anchors: readonly Anchor[]): Drawing | undefined;
  change(drawing: Drawing): void;
  save(): void;
  select(drawing: Drawing | undefined): void;
}

interface Grip {
  readonly drawing: Drawing;
  readonly part: number | "body";
  readonly from: Anchor;
  readonly start: Point;
  /** Whether the drawing is new, and its second point follows without a button held. */
  readonly fresh: boolean;
  moved: boolean;
}

/** A hand that shakes less than this has clicked, in pixels. */
const SHAKE = 5;

/**
 * Puts, selects and moves drawings by mouse, pen or finger.
 *
 * Of what it uses, the chart underneath hears nothing, so that it neither scrolls nor zooms.
 */
export class DrawingPen {
  private grip: Grip | undefined;

  constructor(
    private readonly container: HTMLElement,
    private readonly paper: Paper,
    private readonly actions: PenActions,
  ) {
    container.addEventListener("pointerdown", this.press, true);
    container.addEventListener("pointermove", this.move, true);
    container.addEventListener("pointerup", this.release, true);
    container.addEventListener("pointercancel", this.release, true);
    for (const name of SILENCED) {
      container.addEventListener(name, this.silence, { capture: true, passive: false });
    }
  }

  private readonly press = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    const point = this.pointOf(event);
    const anchor = this.paper.anchorAt(point);
    if (this.grip?.fresh === true) {
      // A finger has not been seen on its way here.
      if (anchor !== undefined) this.actions.change(changed(this.grip, anchor));
      this.finish();
      this.swallow(event);
      return;
    }
    const kind = this.actions.tool();
    if (anchor === undefined) return;
    if (kind !== undefined) this.begin(kind, anchor, point);
    else this.take(point, anchor, event.pointerType === "touch");
    if (this.grip === undefined) return;
    this.container.setPointerCapture(event.pointerId);
    this.swallow(event);
  };

  private readonly move = (event: PointerEvent): void => {
    const { grip } = this;
    const point = this.pointOf(event);
    if (grip === undefined) {
      this.hint(point, event.pointerType === "touch");
      return;
    }
    const anchor = this.paper.anchorAt(point);
    grip.moved ||= Math.hypot(point.x - grip.start.x, point.y - grip.start.y) > SHAKE;
    if (anchor !== undefined && grip.moved) this.actions.change(changed(grip, anchor));
    this.swallow(event);
  };

  private readonly release = (event: PointerEvent): void => {
    if (this.grip === undefined) return;
    // A second point that was not drawn to is waited for: the next press puts it.
    if (!this.grip.fresh || this.grip.moved) this.finish();
    this.swallow(event);
  };

  private readonly silence = (event: Event): void => {
    if (this.grip === undefined) return;
    event.stopPropagation();
    if (event.cancelable) event.preventDefault();
  };

  private begin(kind: DrawingKind, anchor: Anchor, start: Point): void {
    const count = anchorCount(kind);
    const drawing = this.actions.add(kind, Array<Anchor>(count).fill(anchor));
    if (drawing === undefined) return;
    const fresh = count > 1;
    this.grip = { drawing, part: count - 1, from: anchor, start, fresh, moved: false };
  }

  private take(point: Point, from: Anchor, touch: boolean): void {
    const found = this.paper.drawingAt(point, touch);
    this.actions.select(found?.drawing);
    if (found === undefined) return;
    this.grip = { ...found, from, start: point, fresh: false, moved: false };
  }

  private finish(): void {
    this.grip = undefined;
    this.actions.save();
  }

  /** Shows by the cursor what a press would do. */
  private hint(point: Point, touch: boolean): void {
    const part = this.paper.drawingAt(point, touch)?.part;
    const grab = part === "body" ? "move" : part === undefined ? "" : "grab";
    this.container.style.cursor = this.actions.tool() === undefined ? grab : "crosshair";
  }

  private swallow(event: Event): void {
    event.stopPropagation();
    event.preventDefault();
  }

  private pointOf(event: PointerEvent): Point {
    const { left, top } = this.container.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }
}

/** The library listens to these older events. */
const SILENCED = ["mousedown", "mousemove", "touchstart", "touchmove"] as const;

function changed({ drawing, part, from }: Grip, to: Anchor): Drawing {
  if (part === "body") return moved(drawing, to.time - from.time, to.price - from.price);
  return reshaped(drawing, part, to);
}
