/**
 * The Veritick platform for TypeScript: typed calls, typed errors, exact numbers, one stream.
 *
 * Shapes come from the contract (`schema.ts` is generated); nothing here knows a screen.
 */
export * from "./client";
export * from "./clock";
export * from "./decimal";
export * from "./failure";
export { Http, type Fetch } from "./http";
export * from "./receiptCheck";
export * from "./receiptText";
export * from "./requestId";
export * from "./retry";
export * from "./session";
export * from "./stream";
export type * from "./types";
