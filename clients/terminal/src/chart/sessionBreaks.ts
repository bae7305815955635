import type { Axis } from "./axis";
import { line, type Size } from "./brush";
import { Layer } from "./layer";
import type { Palette } from "./palette";

/** Draws where a session ended and the next one began. */
export class SessionBreaks extends Layer {
  private opens: readonly number[] = [];

  constructor(
    private readonly axis: Axis,
    private palette: Palette,
  ) {
    super("bottom");
  }

  show(opens: readonly number[], palette: Palette): void {
    this.opens = opens;
    this.palette = palette;
    this.refresh();
  }

  protected paint(context: CanvasRenderingContext2D, { width, height }: Size): void {
    for (const open of this.opens) {
      const x = this.axis.x(open);
      if (x === undefined || x < 0 || x > width) continue;
      const look = { dash: [1, 4], width: 1 };
      line(context, { x, y: 0 }, { x, y: height }, this.palette.muted, look);
    }
  }
}
