import type * as contract from "./schema.ts";
import type { KycDocument } from "./staffTypes.ts";
import type { Money, With } from "./types.ts";

export type AccountLimit = With<
  contract.AccountLimit,
  { limit: Money; used: Money; endTime: string }
>;
export type AccountLimits = With<
  contract.GetAccountLimitsResponse,
  { limits: readonly AccountLimit[] }
>;
export type ApiKey = With<contract.ApiKey, { createTime: string }>;
export type ApiKeyScope = contract.AccessScope;
export type ConfirmIdentityRequest = contract.ConfirmIdentityRequest;
export type ConfirmTotpResponse = contract.ConfirmTotpResponse;
export type CreateApiKeyRequest = contract.CreateApiKeyRequest;
export type CreateApiKeyResponse = With<contract.CreateApiKeyResponse, { key: ApiKey }>;
export type EnrolTotpResponse = contract.EnrolTotpResponse;
export type Erasure = With<contract.Erasure, { createTime: string; dueTime: string }>;
export type ErasureObstacle = contract.ErasureObstacle;
export type ErasureStanding = With<
  contract.GetErasureResponse,
  { erasure?: Erasure; obstacles: readonly ErasureObstacle[] }
>;
export type FinishPasskeyEnrolmentRequest = contract.FinishPasskeyEnrolmentRequest;
export type FinishPasskeyLogInRequest = contract.FinishPasskeyLogInRequest;
export type KycDocumentKind = contract.KycDocumentKind;
export type KycDocumentState = contract.KycDocumentState;
export type KycLevel = contract.KycLevel;
export type OpenSession = With<
  contract.OpenSession,
  { createTime: string; lastUseTime: string; expireTime: string }
>;
export type Passkey = With<contract.Passkey, { createTime: string }>;
export type PasskeyChallenge = contract.BeginPasskeyEnrolmentResponse;
export type ReferralLink = contract.GetReferralLinkResponse;
export type ReferredUser = With<contract.ReferredUser, { registerTime: string }>;
export type ReferredUsers = With<
  contract.ListReferredUsersResponse,
  { referredUsers: readonly ReferredUser[] }
>;
export type RenewRecoveryCodesResponse = contract.RenewRecoveryCodesResponse;
export type Requirement = contract.Requirement;
export type SignUpRules = contract.GetSignUpRulesResponse;
export type UpdateProfileRequest = contract.UpdateProfileRequest;

export type ListApiKeysResponse = With<contract.ListApiKeysResponse, { keys: readonly ApiKey[] }>;
export type ListDocumentsResponse = With<
  contract.ListDocumentsResponse,
  { documents: readonly KycDocument[] }
>;
export type ListPasskeysResponse = With<
  contract.ListPasskeysResponse,
  { passkeys: readonly Passkey[] }
>;
export type ListSessionsResponse = With<
  contract.ListSessionsResponse,
  { sessions: readonly OpenSession[] }
>;
export type CancelLimitChangeRequest = contract.CancelLimitChangeRequest;
export type Protection = With<contract.Protection, { limits: readonly ProtectionLimit[] }>;
export type ProtectionLimitKind = contract.ProtectionLimitKind;
export type ProtectionLimitPeriod = contract.ProtectionLimitPeriod;
export type SetLimitRequest = contract.SetLimitRequest;
/** How much of something is allowed: exactly one of them. */
export type LimitValue = With<contract.LimitValue, { amount?: Money }>;
export type ProtectionLimit = With<
  contract.ProtectionLimit,
  { value?: LimitValue; nextValue?: LimitValue }
>;
