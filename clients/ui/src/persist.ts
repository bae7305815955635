import { Failure } from "@veritick/client";

const RETRY_MS = 1_500;

/**
 * Runs `work`, and again until it succeeds; the returned function gives up.
 *
 * `tell` hears of each failure, and `undefined` at last.
 */
export function persist(
  work: () => Promise<void>,
  tell: (failure: Failure | undefined) => void = () => undefined,
): () => void {
  let over = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function attempt(): Promise<void> {
    try {
      await work();
      if (!over) tell(undefined);
    } catch (error) {
      if (over) return;
      if (!(error instanceof Failure)) throw error;
      tell(error);
      timer = setTimeout(() => void attempt(), RETRY_MS);
    }
  }

  void attempt();
  return () => {
    over = true;
    clearTimeout(timer);
  };
}
