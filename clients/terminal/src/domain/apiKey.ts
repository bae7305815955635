import type { ApiKeyScope, CreateApiKeyRequest } from "@veritick/client";

export const SCOPES = ["READ", "TRADE", "WITHDRAW"] as const satisfies readonly ApiKeyScope[];
export type KeyScope = (typeof SCOPES)[number];

/** After how many days a key may stop working; 0 for never. */
export const LIFETIMES = [30, 90, 365, 0] as const;

/** What is filled in for a key. */
export interface KeyForm {
  readonly name: string;
  readonly scopes: readonly KeyScope[];
  readonly accountIds: readonly string[];
  /** Addresses and networks, with anything between them. */
  readonly networks: string;
  readonly days: number;
}

/** The request that a form makes at a moment, in milliseconds since the epoch. */
export function keyRequest(form: KeyForm, now: number): CreateApiKeyRequest {
  const expires = new Date(now + form.days * 86_400_000).toISOString();
  return {
    name: form.name.trim(),
    scopes: form.scopes,
    accountIds: form.accountIds,
    networks: form.networks.split(/[\s,;]+/).filter((each) => each !== ""),
    ...(form.days > 0 && { expireTime: expires }),
  };
}
