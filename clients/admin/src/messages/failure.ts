import type { FailureReason } from "@veritick/client";

/** Why a call failed, by the contract's reasons. */
export const failure = {
  failure: {
    UNAUTHENTICATED: "Please sign in again.",
    TOKEN_EXPIRED: "Please sign in again.",
    SESSION_ENDED: "Your session has ended. Please sign in again.",
    PERMISSION_DENIED: "Your role does not allow this.",
    RATE_LIMITED: "Too many requests. Wait a moment and try again.",
    CONNECTION_LOST: "The platform cannot be reached. Check your connection.",
    UNREADABLE_ANSWER: "The platform cannot be reached at the moment.",
    UNAVAILABLE: "The platform is not available at the moment. Try again shortly.",
    INTERNAL: "A fault on our side. It has been recorded.",
    INVALID_CREDENTIALS: "Email and password do not belong together.",
    CODE_INVALID: "This code is wrong, or was used before.",
    USER_BLOCKED: "This account is banned.",
    USER_NOT_FOUND: "There is no such user.",
    SAME_PERSON: "Somebody else has to do this.",
    ERASURE_OBSTRUCTED:
      "Something of the user's goes on: open orders, held or real money, a frozen account, or a role of staff's.",
    NOT_PROPOSER: "Only who proposed it can withdraw it.",
    PROPOSAL_NOT_PENDING: "Somebody has decided this already.",
    USER_NOT_BANNED: "Only the results of a banned user are annulled.",
    ACCOUNT_HAS_OPEN_ORDERS: "The account has open orders. Wait until they have settled.",
    ALREADY_ANNULLED: "The results of one of these days are annulled already.",
    INVALID_TRANSFER: "There is nothing to move.",
    INSUFFICIENT_FUNDS: "The balance is too small.",
    BALANCE_LIMIT: "No account may hold that much.",
    ACCOUNT_CLOSED: "The account is closed.",
    DOCUMENT_STATE_CONFLICT: "The document is in another state by now. Reload it.",
    INVALID_FILTER: "This is not something that can be searched for.",
  } satisfies Partial<Record<FailureReason, string>>,
};
