import { describe, expect, test } from "vitest";
import { favouritesFirst, firstChoice, freshness, matching, move } from "@/domain/market";
import { instrument, terms, tickAt } from "./examples";

describe("how far the price on the screen can be trusted", () => {
  test.each([
    ["OPEN", 300, "live"],
    ["OPEN", 2_501, "slow"],
    ["OPEN", 5_001, "stale"],
    ["OPEN", undefined, "stale"],
    ["STALE", 300, "stale"],
    ["CLOSED", 300, "closed"],
    ["HALTED", 300, "closed"],
  ] as const)("%s, %s ms old: %s", (marketStatus, age, expected) => {
    expect(freshness(instrument({ marketStatus }), age)).toBe(expected);
  });
});

describe("which way a price went", () => {
  test.each([
    [1.12, 1.12001, 1],
    [1.12001, 1.12, -1],
    [1.12, 1.12, 0],
  ])("from %f to %f: %i", (before, after, way) => {
    expect(move(tickAt(before), tickAt(after))).toBe(way);
  });

  test("nowhere with the first one", () => {
    expect(move(undefined, tickAt(1.12))).toBe(0);
  });
});

describe("finding an instrument", () => {
  const listed = [
    instrument({ symbol: "BTCUSD", displayName: "BTC/USD", assetClass: "CRYPTO" }),
    instrument({ symbol: "EURUSD", displayName: "EUR/USD" }),
    instrument({ symbol: "XAUUSD", displayName: "Gold", assetClass: "METAL" }),
  ];
  test.each([
    ["eur", ["EURUSD"]],
    ["EUR/USD", ["EURUSD"]],
    ["eur usd", ["EURUSD"]],
    ["gold", ["XAUUSD"]],
    ["xau", ["XAUUSD"]],
    ["usd", ["BTCUSD", "EURUSD", "XAUUSD"]],
    ["", ["BTCUSD", "EURUSD", "XAUUSD"]],
    ["zzz", []],
  ])("%j finds %j", (typed, symbols) => {
    expect(matching(listed, typed).map(({ symbol }) => symbol)).toEqual(symbols);
  });

  test("favourites stand first, then classes in the order of their first instrument", () => {
    const names = (favourites: string[]): string[] =>
      favouritesFirst(listed, favourites).map(([name]) => name);
    expect(names([])).toEqual(["CRYPTO", "FX", "METAL"]);
    expect(names(["XAUUSD"])).toEqual(["FAVOURITES", "CRYPTO", "FX"]);
  });
});

describe("the instrument to begin with", () => {
  const closed = instrument({ symbol: "EURUSD", marketStatus: "CLOSED" });
  const open = instrument({ symbol: "BTCUSD" });
  const sold = new Map([["BTCUSD", terms()]]);

  test("is the first that trades", () => {
    expect(firstChoice([closed, open], sold)).toBe("BTCUSD");
  });

  test("is the first of all when none trades", () => {
    expect(firstChoice([closed], sold)).toBe("EURUSD");
  });

  test("is none of none", () => {
    expect(firstChoice([], sold)).toBeUndefined();
  });
});
