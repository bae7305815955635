import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { effectScope, nextTick, ref, type EffectScope } from "vue";
import { useCandles } from "@/composables/useCandles";
import { stage, type Stage } from "./stage";

let reads: number;
let scene: Stage;
let scope: EffectScope;

beforeEach(() => {
  vi.useFakeTimers();
  reads = 0;
  scene = stage(() => {
    reads += 1;
    return Promise.resolve(Response.json({ candles: [], priceScale: 5, more: false }));
  });
  scope = effectScope();
  scene.run(() => scope.run(() => useCandles(ref("EURUSD"), ref(5), ref())));
});
afterEach(() => {
  scope.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function pass(milliseconds: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(milliseconds);
  await nextTick();
}

test("the first candles are read once, as soon as the socket is open", async () => {
  await pass(300);
  expect(reads).toBe(0);
  scene.socket("open");
  await pass(5_000);
  expect(reads).toBe(1);
});

test("without a socket they are read after a while, and again when it opens", async () => {
  await pass(1_500);
  expect(reads).toBe(1);
  scene.socket("open");
  await pass(0);
  expect(reads).toBe(2);
});

test("after every reconnection they are read again, for ticks may have been missed", async () => {
  scene.socket("open");
  await pass(0);
  expect(reads).toBe(1);
  scene.socket("connecting");
  await pass(0);
  scene.socket("open");
  await pass(0);
  expect(reads).toBe(2);
});
