import type { StaffClient } from "@veritick/client";
import { expect, test } from "vitest";
import { decide, sourcesOf, type Pending } from "~/domain/proposals";

/** Staff's calls about lost second factors; each answers, and tells, how it was called. */
function calls(told: unknown[]): StaffClient {
  const proposal = { proposalId: "p", proposeTime: "2026-11-26T18:00:00Z" };
  const noted =
    (name: string) =>
    (...given: unknown[]) => {
      told.push([name, ...given]);
      return Promise.resolve(proposal);
    };
  return {
    listSecondFactorResets: () => Promise.resolve({ proposals: [proposal], nextPageToken: "" }),
    approveSecondFactorReset: noted("approve"),
    rejectSecondFactorReset: noted("reject"),
    withdrawSecondFactorReset: noted("withdraw"),
  } as unknown as StaffClient;
}

test("a lost second factor is among what waits, and decided where it belongs", async () => {
  const told: unknown[] = [];
  const staff = calls(told);
  const sources = sourcesOf(staff, "factor.reset", "PENDING", ["real"]);
  const pages = await Promise.all(sources.map(({ read }) => read(undefined)));
  const [pending] = pages.flatMap(({ items }) => items) as [Pending];
  expect([pending.key, pending.kind, pages.length]).toEqual(["p", "factor.reset", 1]);
  await decide(staff, pending, "approve", "");
  await decide(staff, pending, "reject", "no passport");
  await decide(staff, pending, "withdraw", "found again");
  expect(told).toEqual([
    ["approve", "p", ""],
    ["reject", "p", "no passport"],
    ["withdraw", "p", "found again"],
  ]);
});
