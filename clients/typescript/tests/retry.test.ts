import { expect, test } from "vitest";
import { Failure, newRequestId, untilAnswered, type FailureReason } from "../src/index.ts";

function patience(attempts: number): {
  pauses: number[];
  value: Parameters<typeof untilAnswered>[1];
} {
  const pauses: number[] = [];
  return {
    pauses,
    value: {
      attempts,
      pauseMilliseconds: 100,
      wait: (milliseconds) => {
        pauses.push(milliseconds);
        return Promise.resolve();
      },
    },
  };
}

function failing(...reasons: FailureReason[]): () => Promise<string> {
  return () => {
    const reason = reasons.shift();
    return reason === undefined
      ? Promise.resolve("order")
      : Promise.reject(new Failure({ reason }));
  };
}

test("a purchase without an answer is asked for again until there is one", async () => {
  const { pauses, value } = patience(5);
  const call = failing("CONNECTION_LOST", "OUTCOME_UNKNOWN", "DEADLINE_EXCEEDED");
  expect(await untilAnswered(call, value)).toBe("order");
  expect(pauses).toEqual([100, 200, 300]);
});

test("a refusal is an answer", async () => {
  const { pauses, value } = patience(5);
  await expect(untilAnswered(failing("INSUFFICIENT_FUNDS"), value)).rejects.toThrow(
    "INSUFFICIENT_FUNDS",
  );
  expect(pauses).toEqual([]);
});

test("patience ends", async () => {
  const { value } = patience(2);
  const call = failing("UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE");
  await expect(untilAnswered(call, value)).rejects.toThrow("UNAVAILABLE");
});

test("request ids are version 4 UUIDs, each a new one", () => {
  const ids = new Set(Array.from({ length: 50 }, newRequestId));
  expect(ids.size).toBe(50);
  for (const id of ids) {
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
});
