import { call } from "./call.ts";
import type { Download, Http } from "./http.ts";
import type { Caller } from "./session.ts";
import type { KycDocument } from "./staffTypes.ts";
import type { User } from "./types.ts";
import type * as own from "./userTypes.ts";

/** Reading a file in, and cleaning it, takes longer than other calls. */
const UPLOAD_TIMEOUT_SECONDS = 60;

/**
 * The calls by which users look after themselves, one method each; all throw `Failure`.
 *
 * Those that answer CONFIRMATION_REQUIRED go through after `confirmIdentity`.
 */
export class UserClient {
  private readonly http: Http;
  private readonly session: Caller;

  constructor(http: Http, session: Caller) {
    this.http = http;
    this.session = session;
  }

  getSignUpRules(): Promise<own.SignUpRules> {
    return this.http.send(call("get", "/v1/signUpRules", {}));
  }

  /** Tells country or birth date, each once, or the language of letters. */
  updateProfile(told: own.UpdateProfileRequest): Promise<User> {
    return this.session.send(call("patch", "/v1/users/me", { body: told }));
  }

  acceptAgreement(agreementVersion: string): Promise<User> {
    const body = { agreementVersion };
    return this.session.send(call("post", "/v1/users/me:acceptAgreement", { body }));
  }

  /** Proves once more who one is: by a code, or by the password of who has no second factor. */
  async confirmIdentity(proof: own.ConfirmIdentityRequest): Promise<void> {
    await this.session.send(call("post", "/v1/sessions/current:confirm", { body: proof }));
  }

  /** Every other session ends with the old password. */
  async changePassword(currentPassword: string, newPassword: string): Promise<void> {
    const body = { currentPassword, newPassword };
    await this.session.send(call("post", "/v1/users/me:changePassword", { body }));
  }

  /** The link by which others sign up with the caller as their referrer. */
  getReferralLink(): Promise<own.ReferralLink> {
    return this.session.send(call("get", "/v1/users/me/referralLink", {}));
  }

  /** Whom the caller has referred, who registered last first. */
  listReferredUsers(query: {
    readonly pageToken?: string | undefined;
  }): Promise<own.ReferredUsers> {
    return this.session.send(call("get", "/v1/users/me/referredUsers", { query }));
  }

  async listSessions(): Promise<readonly own.OpenSession[]> {
    const request = call("get", "/v1/sessions", {});
    return (await this.session.send<own.ListSessionsResponse>(request)).sessions;
  }

  async revokeSession(sessionId: string): Promise<void> {
    await this.session.send(call("delete", "/v1/sessions/{sessionId}", { path: { sessionId } }));
  }

  /** Ends every session but the one that asks. */
  async revokeOtherSessions(): Promise<void> {
    await this.session.send(call("post", "/v1/sessions:revokeAll", { body: {} }));
  }

  /** Begins a second factor; it is in force after `confirmTotp`. */
  enrolTotp(): Promise<own.EnrolTotpResponse> {
    return this.session.send(call("post", "/v1/users/me/totp", {}));
  }

  /** Answers the recovery codes, shown once. */
  async confirmTotp(code: string): Promise<readonly string[]> {
    const request = call("post", "/v1/users/me/totp:confirm", { body: { code } });
    return (await this.session.send<own.ConfirmTotpResponse>(request)).recoveryCodes;
  }

  async renewRecoveryCodes(): Promise<readonly string[]> {
    const request = call("post", "/v1/users/me/totp:renewRecoveryCodes", {});
    return (await this.session.send<own.RenewRecoveryCodesResponse>(request)).recoveryCodes;
  }

  async disableTotp(): Promise<void> {
    await this.session.send(call("delete", "/v1/users/me/totp", {}));
  }

  async listPasskeys(): Promise<readonly own.Passkey[]> {
    const request = call("get", "/v1/passkeys", {});
    return (await this.session.send<own.ListPasskeysResponse>(request)).passkeys;
  }

  beginPasskeyEnrolment(): Promise<own.PasskeyChallenge> {
    return this.session.send(call("post", "/v1/passkeys:beginEnrolment", {}));
  }

  finishPasskeyEnrolment(made: own.FinishPasskeyEnrolmentRequest): Promise<own.Passkey> {
    return this.session.send(call("post", "/v1/passkeys", { body: made }));
  }

  async deletePasskey(passkeyId: string): Promise<void> {
    await this.session.send(call("delete", "/v1/passkeys/{passkeyId}", { path: { passkeyId } }));
  }

  beginPasskeyLogIn(): Promise<own.PasskeyChallenge> {
    return this.http.send(call("post", "/v1/sessions:beginPasskey", {}));
  }

  /** Opens a session, which the browser keeps in cookies that no script can read. */
  async finishPasskeyLogIn(signed: own.FinishPasskeyLogInRequest): Promise<void> {
    await this.http.send(call("post", "/v1/sessions:finishPasskey", { body: signed }));
  }

  async listApiKeys(): Promise<readonly own.ApiKey[]> {
    const request = call("get", "/v1/apiKeys", {});
    return (await this.session.send<own.ListApiKeysResponse>(request)).keys;
  }

  /** Answers the key with its secret, which is shown once. */
  createApiKey(wish: own.CreateApiKeyRequest): Promise<own.CreateApiKeyResponse> {
    return this.session.send(call("post", "/v1/apiKeys", { body: wish }));
  }

  async revokeApiKey(keyId: string): Promise<void> {
    await this.session.send(call("delete", "/v1/apiKeys/{keyId}", { path: { keyId } }));
  }

  /** Everything that is kept about the user, as an archive. */
  exportPersonalData(): Promise<Download> {
    return this.session.download(call("post", "/v1/users/me:exportPersonalData", { body: {} }));
  }

  /** The erasure that waits, and what stands in the way of one. */
  getErasure(): Promise<own.ErasureStanding> {
    return this.session.send(call("get", "/v1/users/me/erasure", {}));
  }

  /** Asks to be erased after some days. */
  requestErasure(): Promise<own.Erasure> {
    return this.session.send(call("post", "/v1/users/me:requestErasure", { body: {} }));
  }

  withdrawErasure(): Promise<own.Erasure> {
    return this.session.send(call("post", "/v1/users/me:withdrawErasure", { body: {} }));
  }

  /** The documents that prove who the user is, newest first, with the level they give. */
  listDocuments(): Promise<own.ListDocumentsResponse> {
    return this.session.send(call("get", "/v1/kycDocuments", {}));
  }

  getDocument(documentId: string): Promise<KycDocument> {
    return this.session.send(
      call("get", "/v1/kycDocuments/{documentId}", { path: { documentId } }),
    );
  }

  /** Begins an upload; `uploadDocument` sends the file. */
  createDocument(kind: own.KycDocumentKind, size: number): Promise<KycDocument> {
    return this.session.send(call("post", "/v1/kycDocuments", { body: { kind, size } }));
  }

  /** Sends a part, of at most 1 MiB, that begins at an offset; one sent before changes nothing. */
  uploadDocumentPart(documentId: string, offset: number, content: Blob): Promise<KycDocument> {
    const path = "/v1/kycDocuments/{documentId}/content";
    const request = call("put", path, { path: { documentId }, query: { offset } });
    return this.session.send({ ...request, content }, UPLOAD_TIMEOUT_SECONDS);
  }

  completeDocument(documentId: string): Promise<KycDocument> {
    return this.session.send(
      call("post", "/v1/kycDocuments/{documentId}:complete", { path: { documentId } }),
      UPLOAD_TIMEOUT_SECONDS,
    );
  }

  /** The limits that a book holds an account's orders to, and what of them is used up. */
  async listAccountLimits(accountId: string): Promise<readonly own.AccountLimit[]> {
    const request = call("get", "/v1/accounts/{accountId}/limits", { path: { accountId } });
    return (await this.session.send<own.AccountLimits>(request)).limits;
  }

  getProtection(): Promise<own.Protection> {
    return this.session.send(call("get", "/v1/users/me/protection", {}));
  }

  /** A tighter limit counts at once, a looser one in 24 hours; without a value there is none. */
  setLimit(limit: own.SetLimitRequest): Promise<own.Protection> {
    return this.session.send(call("post", "/v1/users/me/protection:setLimit", { body: limit }));
  }

  /** Calls off a looser limit that does not count yet. */
  cancelLimitChange(limit: own.CancelLimitChangeRequest): Promise<own.Protection> {
    return this.session.send(
      call("post", "/v1/users/me/protection:cancelLimitChange", { body: limit }),
    );
  }

  /** Keeps the user from trading for some hours. Nobody can end it before. */
  takeBreak(hours: number): Promise<own.Protection> {
    return this.session.send(
      call("post", "/v1/users/me/protection:takeBreak", { body: { hours } }),
    );
  }

  /** Keeps the user from trading for some months. Nobody can end it before. */
  excludeSelf(months: number): Promise<own.Protection> {
    return this.session.send(
      call("post", "/v1/users/me/protection:excludeSelf", { body: { months } }),
    );
  }

  /** After how many minutes the app is to speak up; 0 for never. */
  setRealityCheck(minutes: number): Promise<own.Protection> {
    return this.session.send(
      call("post", "/v1/users/me/protection:setRealityCheck", { body: { minutes } }),
    );
  }
}
