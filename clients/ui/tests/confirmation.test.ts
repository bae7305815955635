import { Failure, type ConfirmIdentityRequest } from "@veritick/client";
import { beforeEach, expect, test } from "vitest";
import { keepConfirmation, NotConfirmed, type Confirmation } from "@veritick/ui";
import type { PageConnection } from "../src/connection";

let proofs: ConfirmIdentityRequest[];
let recent: boolean;
let wrong: boolean;
let confirmation: Confirmation;

beforeEach(() => {
  [proofs, recent, wrong] = [[], false, false];
  const own = {
    confirmIdentity: (proof: ConfirmIdentityRequest) => {
      proofs.push(proof);
      if (wrong) return Promise.reject(new Failure({ reason: "CODE_INVALID" }));
      recent = true;
      return Promise.resolve();
    },
  };
  confirmation = keepConfirmation({ own } as unknown as PageConnection);
});

function change(): Promise<string> {
  if (!recent) return Promise.reject(new Failure({ reason: "CONFIRMATION_REQUIRED" }));
  return Promise.resolve("done");
}

test("what needs no proof asks for none", async () => {
  recent = true;
  expect(await confirmation.confirmed(change)).toBe("done");
  expect(proofs).toEqual([]);
});

test("what needs a proof waits for it, and goes on by itself", async () => {
  const working = confirmation.confirmed(change);
  await Promise.resolve();
  await expect.poll(() => confirmation.waiting.value).toBe(true);
  wrong = true;
  await expect(confirmation.confirm({ code: "1" })).rejects.toMatchObject({
    reason: "CODE_INVALID",
  });
  expect(confirmation.waiting.value).toBe(true);
  wrong = false;
  await confirmation.confirm({ code: "2" });
  expect(await working).toBe("done");
  expect(confirmation.waiting.value).toBe(false);
});

test("who gives up does nothing", async () => {
  const working = confirmation.confirmed(change);
  const outcome = expect(working).rejects.toBeInstanceOf(NotConfirmed);
  await expect.poll(() => confirmation.waiting.value).toBe(true);
  confirmation.giveUp();
  await outcome;
  expect(confirmation.waiting.value).toBe(false);
});
