export interface Size {
  readonly width: number;
  readonly height: number;
}

const RATIO_MAX = 2;
/** As fine as most scans are: some 290 dots per inch of A4. */
const PIXELS_MAX = 8_000_000;
const SIDE_MAX = 16_000;

/**
 * How many pixels of a canvas a point of a page gets, for the page to fill a column.
 *
 * `columnWidth` is in CSS pixels, `pixelRatio` the screen's pixels for each of them. A page may
 * be of any size: what is drawn stays within what browsers give a canvas, and twenty of them at once.
 */
export function drawingScale(page: Size, columnWidth: number, pixelRatio: number): number {
  return Math.min(
    (columnWidth * Math.min(pixelRatio, RATIO_MAX)) / page.width,
    Math.sqrt(PIXELS_MAX / (page.width * page.height)),
    SIDE_MAX / Math.max(page.width, page.height),
  );
}
