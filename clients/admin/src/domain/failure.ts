import type { Failure } from "@veritick/client";
import { texts } from "~/messages";

/** Why a call failed, in words; what has no words of its own is told as the platform told it. */
export function failureText({ reason, message }: Failure): string {
  const known: Readonly<Record<string, string>> = texts.failure;
  return known[reason] ?? `${message} (${reason})`;
}
