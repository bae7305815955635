/**
 * The Veritick platform for TypeScript: typed calls, typed errors, exact numbers, one stream.
 *
 * Shapes come from the contract (`schema.ts` is generated); nothing here knows a screen.
 */
export { call, type Call } from "./call.ts";
export * from "./client.ts";
export * from "./clock.ts";
export * from "./connect.ts";
export * from "./decimal.ts";
export * from "./failure.ts";
export { Http, type Download, type Fetch } from "./http.ts";
export * from "./receiptCheck.ts";
export * from "./receiptText.ts";
export * from "./requestId.ts";
export * from "./retry.ts";
export * from "./session.ts";
export * from "./staff.ts";
export * from "./stream.ts";
export * from "./tokenSession.ts";
export type * from "./staffTypes.ts";
export * from "./upload.ts";
export * from "./userClient.ts";
export type * from "./types.ts";
export type * from "./userTypes.ts";
