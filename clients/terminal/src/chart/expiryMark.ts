import type { Axis } from "./axis";
import { line, pill, type Size } from "./brush";
import { Layer } from "./layer";
import type { Palette } from "./palette";

/** When the order being prepared would expire. */
export interface Expiry {
  /** Seconds since the epoch. */
  readonly time: number;
  readonly label: string;
  /** Until when an order that expires then can be bought; absent where that makes no difference. */
  readonly cutoff?: number;
}

const EDGE = 10;
const TINT = "14";

/** Shows up to when an order bought now would run. */
export class ExpiryMark extends Layer {
  private expiry: Expiry | undefined;

  constructor(
    private readonly axis: Axis,
    private palette: Palette,
  ) {
    super("normal");
  }

  show(expiry: Expiry | undefined, palette: Palette): void {
    this.expiry = expiry;
    this.palette = palette;
    this.refresh();
  }

  protected paint(context: CanvasRenderingContext2D, { width, height }: Size): void {
    const { expiry, palette } = this;
    const x = expiry && this.axis.x(expiry.time);
    if (expiry === undefined || x === undefined || x < 0) return;
    const look = { fill: palette.accent, ink: palette.onAccent };
    const y = height - 16;
    if (x > width) {
      pill(context, `${expiry.label} ›`, { x: width, y, width }, look);
      return;
    }
    line(context, { x, y: 0 }, { x, y: height }, palette.accent, { dash: [6, 4], width: 1 });
    const cutoffX = expiry.cutoff === undefined ? undefined : this.axis.x(expiry.cutoff);
    if (cutoffX !== undefined) {
      const thin = { dash: [2, 4], width: 1 };
      line(context, { x: cutoffX, y: 0 }, { x: cutoffX, y: height }, palette.muted, thin);
    }
    context.fillStyle = palette.accent + TINT;
    context.fillRect(x, 0, width - x, height);
    pill(context, expiry.label, { x: x - EDGE / 2, y, width }, look);
  }
}
