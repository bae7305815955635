import { effectScope, nextTick } from "vue";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { useMaintenance } from "@/composables/useMaintenance";
import { refusal, stage } from "./stage";

const OVER = { active: false, note: "" };
const UNDER = { active: true, note: "Back at noon." };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Lets the terminal ask a platform that answers these in turn, and the last one ever after. */
function asking(...answers: readonly (typeof OVER | Response)[]) {
  const left = [...answers];
  const scene = stage(() => {
    const answer = left.length > 1 ? left.shift() : left[0];
    return Promise.resolve(answer instanceof Response ? answer.clone() : Response.json(answer));
  });
  const scope = effectScope();
  const maintenance = scope.run(() => scene.run(useMaintenance));
  return { scope, note: () => maintenance?.value?.note };
}

async function pass(seconds: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(seconds * 1000);
  await nextTick();
}

test("maintenance is told when it begins, and no longer when it is over", async () => {
  const { scope, note } = asking(OVER, UNDER, OVER);
  await pass(0);
  expect(note()).toBeUndefined();
  await pass(30);
  expect(note()).toBe("Back at noon.");
  await pass(30);
  expect(note()).toBeUndefined();
  scope.stop();
});

test("what was told last counts while the platform is away", async () => {
  const { scope, note } = asking(UNDER, refusal("UNAVAILABLE", 503));
  await pass(0);
  expect(note()).toBe("Back at noon.");
  await pass(30);
  expect(note()).toBe("Back at noon.");
  scope.stop();
});
