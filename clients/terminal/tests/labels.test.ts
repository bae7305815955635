import { describe, expect, test } from "vitest";
import { spreadOut } from "@/domain/labels";

describe("labels that must stand 20 apart", () => {
  test.each([
    ["far apart stay", [10, 100], [10, 100]],
    ["close together make room downwards", [10, 15], [10, 30]],
    ["keep the order they were given in", [15, 10], [30, 10]],
    ["of equal wish stand below each other", [10, 10, 10], [10, 30, 50]],
    ["push on those further down", [10, 15, 40], [10, 30, 50]],
    ["of nobody", [], []],
  ])("%s", (_, wishes, places) => {
    expect(spreadOut(wishes, 20)).toEqual(places);
  });
});
