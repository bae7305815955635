import { expect, test } from "vitest";
import { ServerClock } from "../src/index.ts";

function clockAt(): { clock: ServerClock; pass: (milliseconds: number) => void } {
  let local = 1_000_000;
  const clock = new ServerClock(() => local, 60_000);
  return { clock, pass: (milliseconds) => (local += milliseconds) };
}

test("before anything was heard the server's clock is taken to be ours", () => {
  expect(clockAt().clock.now()).toBe(1_000_000);
});

test("the message that took the shortest way says the offset", () => {
  const { clock, pass } = clockAt();
  clock.observe(1_005_000 - 80);
  pass(100);
  clock.observe(1_005_100 - 20);
  pass(100);
  clock.observe(1_005_200 - 300);
  expect(clock.offset).toBe(5_000 - 20);
});

test("what was heard long ago no longer counts, so a clock that is put right is noticed", () => {
  const { clock, pass } = clockAt();
  clock.observe(1_005_000);
  pass(61_000);
  clock.observe(1_061_000 + 2_000);
  expect(clock.offset).toBe(2_000);
});
