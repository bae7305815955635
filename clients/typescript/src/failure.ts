import type { Problem, Reason } from "./types.ts";

/** One field of a request that breaks a rule of the contract. */
export type Violation = NonNullable<Problem["violations"]>[number];

/**
 * Why a call failed: one of the contract's reasons, or one that only a client can see:
 * CONNECTION_LOST (no answer arrived) and UNREADABLE_ANSWER (something else answered).
 */
export type FailureReason = Reason | "CONNECTION_LOST" | "UNREADABLE_ANSWER";

/** After these it is not known whether the call happened. */
const LEAVES_UNKNOWN: ReadonlySet<FailureReason> = new Set<FailureReason>([
  "CONNECTION_LOST",
  "DEADLINE_EXCEEDED",
  "OUTCOME_UNKNOWN",
  "UNREADABLE_ANSWER",
]);

/** After these as well the same call may have another answer: it did not happen, but soon may. */
const WORTH_REPEATING: ReadonlySet<FailureReason> = new Set<FailureReason>([
  ...LEAVES_UNKNOWN,
  "UNAVAILABLE",
  "MARKET_VIEW_STALE",
  "CLOCK_SKEWED",
]);

/** A call that failed. `status` is the HTTP status, 0 when there was no answer. */
export class Failure extends Error {
  readonly status: number;
  readonly reason: FailureReason;
  readonly metadata: Readonly<Record<string, string>>;
  readonly violations: readonly Violation[];

  constructor(
    problem: Pick<Partial<Problem>, "detail" | "metadata" | "violations"> & {
      readonly reason: FailureReason;
    },
    status = 0,
  ) {
    super(problem.detail ?? problem.reason);
    this.name = "Failure";
    this.status = status;
    this.reason = problem.reason;
    this.metadata = problem.metadata ?? {};
    this.violations = problem.violations ?? [];
  }

  /** Whether the call may have happened all the same. */
  get leavesUnknown(): boolean {
    return LEAVES_UNKNOWN.has(this.reason);
  }

  /** Whether the identical request, with its request id, should be sent again to learn more. */
  get worthRepeating(): boolean {
    return WORTH_REPEATING.has(this.reason);
  }
}

/** Whether a call was refused for want of a token that still holds. */
export function isTokenRefusal(error: unknown): error is Failure {
  return (
    error instanceof Failure &&
    (error.reason === "TOKEN_EXPIRED" || error.reason === "UNAUTHENTICATED")
  );
}

/** Reads the failure out of an answer that is not a success. */
export async function failureOf(response: Response): Promise<Failure> {
  const unreadable = new Failure({ reason: "UNREADABLE_ANSWER" }, response.status);
  let document: Partial<Problem>;
  try {
    document = (await response.json()) as Partial<Problem>;
  } catch {
    return unreadable;
  }
  const { reason } = document;
  return reason === undefined ? unreadable : new Failure({ ...document, reason }, response.status);
}
