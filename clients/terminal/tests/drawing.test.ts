import { describe, expect, test } from "vitest";
import { beyond, distanceTo, partAt, shapeOf } from "@/chart/drawingShape";
import { DRAWINGS_MAX, moved, readDrawings, reshaped, type Drawing } from "@/domain/drawing";

const SIZE = { width: 100, height: 50 };
const at = (x: number, y: number): { x: number; y: number } => ({ x, y });

test.each([
  ["to the right", at(10, 10), at(20, 10), at(100, 10)],
  ["to the left", at(20, 10), at(10, 10), at(0, 10)],
  ["down, where the bottom comes first", at(10, 10), at(20, 20), at(50, 50)],
  ["up, where the top comes first", at(10, 30), at(10, 20), at(10, 0)],
  ["that ends outside already", at(10, 10), at(200, 10), at(200, 10)],
  ["of no direction", at(10, 10), at(10, 10), at(10, 10)],
])("a ray %s", (_, from, through, end) => {
  expect(beyond(from, through, SIZE)).toEqual(end);
});

test.each([
  ["beside its middle", at(5, 3), 3],
  ["beyond its end", at(13, 4), 5],
  ["on it", at(2, 0), 0],
])("the distance from a segment to a point %s", (_, point, distance) => {
  expect(distanceTo({ from: at(0, 0), to: at(10, 0) }, point)).toBe(distance);
});

test("a segment of no length is a point", () => {
  expect(distanceTo({ from: at(3, 4), to: at(3, 4) }, at(0, 0))).toBe(5);
});

describe("what is hit", () => {
  test.each([
    ["trend", [at(10, 10), at(50, 10)], at(30, 12), "body"],
    ["trend", [at(10, 10), at(50, 10)], at(51, 9), 1],
    ["trend", [at(10, 10), at(50, 10)], at(90, 10), undefined],
    ["ray", [at(10, 10), at(50, 10)], at(90, 10), "body"],
    ["horizontal", [at(40, 20)], at(3, 21), "body"],
    ["horizontal", [at(40, 20)], at(40, 20), 0],
    ["rectangle", [at(10, 10), at(50, 40)], at(10, 25), "body"],
    ["rectangle", [at(10, 10), at(50, 40)], at(30, 25), undefined],
    ["fibonacci", [at(10, 40), at(50, 0)], at(30, 20), "body"],
    ["fibonacci", [at(10, 40), at(50, 0)], at(30, 35.7), undefined],
  ] as const)("of a %s over %j at %j is %s", (kind, points, point, part) => {
    const shape = shapeOf(kind, points, SIZE);
    expect(shape && partAt(shape, point, 4)).toBe(part);
  });
});

test("a retracement runs from the end of a move back to its beginning", () => {
  const shape = shapeOf("fibonacci", [at(10, 40), at(50, 0)], SIZE);
  expect(shape?.segments.map(({ from, share }) => [share, from.y])).toEqual([
    [0, 0],
    [0.236, 0.236 * 40],
    [0.382, 0.382 * 40],
    [0.5, 20],
    [0.618, 0.618 * 40],
    [0.786, 0.786 * 40],
    [1, 40],
  ]);
});

const drawing: Drawing = {
  id: "a",
  kind: "trend",
  anchors: [
    { time: 100, price: 5 },
    { time: 200, price: 6 },
  ],
};

test("a drawing moves as a whole, or by one of its points", () => {
  expect(moved(drawing, 10, -1).anchors).toEqual([
    { time: 110, price: 4 },
    { time: 210, price: 5 },
  ]);
  expect(reshaped(drawing, 1, { time: 300, price: 9 }).anchors).toEqual([
    { time: 100, price: 5 },
    { time: 300, price: 9 },
  ]);
});

test.each([
  ["nothing", undefined, 0],
  ["a drawing", [drawing], 1],
  ["a kind that there is not", [{ ...drawing, kind: "spiral" }], 0],
  ["a point too few", [{ ...drawing, anchors: drawing.anchors.slice(1) }], 0],
  ["a price that is none", [{ ...drawing, anchors: [{ time: 1, price: null }] }], 0],
  ["more than are kept", Array<Drawing>(80).fill(drawing), DRAWINGS_MAX],
])("of %s that was kept, %s drawings remain", (_, kept, count) => {
  expect(readDrawings(kept)).toHaveLength(count);
});
