/** Strokes on the chart's canvas, in pixels of the page. */

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export function line(
  context: CanvasRenderingContext2D,
  from: Point,
  to: Point,
  colour: string,
  { width = 1.5, dash = [] }: { readonly width?: number; readonly dash?: number[] } = {},
): void {
  context.beginPath();
  context.moveTo(from.x, from.y);
  context.lineTo(to.x, to.y);
  context.lineWidth = width;
  context.strokeStyle = colour;
  context.setLineDash(dash);
  context.stroke();
  context.setLineDash([]);
}

/** A dot with a rim in the colour of what lies under it. */
export function dot(
  context: CanvasRenderingContext2D,
  { x, y }: Point,
  fill: string,
  rim: string,
): void {
  context.beginPath();
  context.arc(x, y, 4.5, 0, 2 * Math.PI);
  context.fillStyle = fill;
  context.fill();
  context.lineWidth = 2;
  context.strokeStyle = rim;
  context.stroke();
}

const FONT = "11px ui-sans-serif, system-ui, sans-serif";

/** Words without a box, their baseline a little above a point. */
export function words(
  context: CanvasRenderingContext2D,
  text: string,
  { x, y }: Point,
  colour: string,
): void {
  context.font = FONT;
  context.fillStyle = colour;
  context.textBaseline = "bottom";
  context.fillText(text, x, y - 2);
}

/** Text in a filled box around a height, its right edge at `x` and inside the pane. */
export function pill(
  context: CanvasRenderingContext2D,
  text: string,
  { x, y, width }: Point & { readonly width: number },
  { fill, ink }: { readonly fill: string; readonly ink: string },
): void {
  context.font = `600 ${FONT}`;
  const wide = context.measureText(text).width + 14;
  const left = Math.min(Math.max(x - wide, 4), width - wide - 4);
  context.fillStyle = fill;
  context.beginPath();
  context.roundRect(left, y - 10, wide, 20, 6);
  context.fill();
  context.fillStyle = ink;
  context.textBaseline = "middle";
  context.fillText(text, left + 7, y + 0.5);
}
