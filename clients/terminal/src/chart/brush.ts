/** Strokes on the chart's canvas, in pixels of the page. */

export interface Size {
  readonly width: number;
  readonly height: number;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

export function line(
  context: CanvasRenderingContext2D,
  from: readonly [number, number],
  to: readonly [number, number],
  colour: string,
): void {
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(...to);
  context.lineWidth = 1.5;
  context.strokeStyle = colour;
  context.stroke();
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

/** White text in a filled box, left of a point and inside the pane. */
export function pill(
  context: CanvasRenderingContext2D,
  text: string,
  { x, y, width }: Point & { readonly width: number },
  colour: string,
): void {
  context.font = "600 11px ui-sans-serif, system-ui, sans-serif";
  const wide = context.measureText(text).width + 14;
  const left = Math.min(Math.max(x - wide - 10, 4), width - wide - 4);
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(left, y - 10, wide, 20, 6);
  context.fill();
  context.fillStyle = "#ffffff";
  context.textBaseline = "middle";
  context.fillText(text, left + 7, y + 0.5);
}
