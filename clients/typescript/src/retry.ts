import { Failure } from "./failure.ts";

/** When to try again, and how to wait; replaced in tests. */
export interface Patience {
  readonly attempts: number;
  readonly pauseMilliseconds: number;
  readonly wait: (milliseconds: number) => Promise<void>;
}

const PATIENCE: Patience = {
  attempts: 8,
  pauseMilliseconds: 400,
  wait: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
};

/**
 * Repeats a call that moves money until its answer is known.
 *
 * `call` must send the identical request, with its `requestId`, each time. The pauses grow by
 * their first length. After the last attempt its failure is thrown.
 */
export async function untilAnswered<Answer>(
  call: () => Promise<Answer>,
  patience: Patience = PATIENCE,
): Promise<Answer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      const final = attempt >= patience.attempts;
      if (final || !(error instanceof Failure) || !error.worthRepeating) throw error;
      await patience.wait(patience.pauseMilliseconds * attempt);
    }
  }
}
