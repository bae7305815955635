import { call } from "./call.ts";
import type { Page, Range } from "./client.ts";
import type { Download } from "./http.ts";
import type { Caller } from "./session.ts";
import type * as staff from "./staffTypes.ts";
import type { Maintenance, Money } from "./types.ts";
import type { Protection } from "./userTypes.ts";

/** The calls that need a permission, one method each; all throw `Failure`. */
export class StaffClient {
  private readonly session: Caller;

  constructor(session: Caller) {
    this.session = session;
  }

  /** Users, newest first. */
  listUsers(page: Page = {}): Promise<staff.UserPage> {
    return this.session.send(call("get", "/v1/admin/users", { query: page }));
  }

  getUser(userId: string): Promise<staff.KnownUser> {
    return this.session.send(call("get", "/v1/admin/users/{userId}", { path: { userId } }));
  }

  async listUserSessions(userId: string): Promise<readonly staff.UserSession[]> {
    const request = call("get", "/v1/admin/users/{userId}/sessions", { path: { userId } });
    return (await this.session.send<{ sessions: readonly staff.UserSession[] }>(request)).sessions;
  }

  /** Ends every session of a user; answers how many there were. */
  async endUserSessions(userId: string): Promise<number> {
    const request = call("post", "/v1/admin/users/{userId}:endSessions", {
      path: { userId },
      body: {},
    });
    return (await this.session.send<{ ended: number }>(request)).ended;
  }

  /** Shuts a user out, until a moment (RFC 3339) or for good. */
  banUser(userId: string, reason: string, untilTime?: string): Promise<staff.KnownUser> {
    const body = untilTime === undefined ? { reason } : { reason, untilTime };
    return this.session.send(
      call("post", "/v1/admin/users/{userId}:ban", { path: { userId }, body }),
    );
  }

  liftBan(userId: string, reason: string): Promise<staff.KnownUser> {
    return this.session.send(
      call("post", "/v1/admin/users/{userId}:liftBan", { path: { userId }, body: { reason } }),
    );
  }

  async listUserAccounts(userId: string): Promise<staff.UserAccounts["accounts"]> {
    const request = call("get", "/v1/admin/users/{userId}/accounts", { path: { userId } });
    return (await this.session.send<staff.UserAccounts>(request)).accounts;
  }

  /** An account's orders, newest first. */
  listAccountOrders(accountId: string, query: Page & Range = {}): Promise<staff.AccountOrders> {
    return this.session.send(
      call("get", "/v1/admin/accounts/{accountId}/orders", { path: { accountId }, query }),
    );
  }

  /** An account's statement, newest first. */
  listAccountEntries(accountId: string, query: Page & Range = {}): Promise<staff.AccountEntries> {
    return this.session.send(
      call("get", "/v1/admin/accounts/{accountId}/entries", { path: { accountId }, query }),
    );
  }

  /** Gives a role, or proposes it where it is powerful; once for each request id. */
  grantRole(
    userId: string,
    role: string,
    reason: string,
    requestId: string,
  ): Promise<staff.RoleGrant> {
    return this.session.send(
      call("post", "/v1/admin/users/{userId}:grantRole", {
        path: { userId },
        body: { role, reason, requestId },
      }),
    );
  }

  takeRole(userId: string, role: string): Promise<staff.KnownUser> {
    return this.session.send(
      call("post", "/v1/admin/users/{userId}:takeRole", { path: { userId }, body: { role } }),
    );
  }

  listRoles(): Promise<staff.Roles> {
    return this.session.send(call("get", "/v1/admin/roles", {}));
  }

  /** Gives a role, new or known, these permissions, or proposes it; once for each request id. */
  setRole(
    role: string,
    permissions: readonly string[],
    reason: string,
    requestId: string,
  ): Promise<staff.RoleChange> {
    return this.session.send(
      call("put", "/v1/admin/roles/{role}", {
        path: { role },
        body: { permissions: [...permissions], reason, requestId },
      }),
    );
  }

  /** Proposes to take the second factor from who has lost it; somebody else approves it. */
  proposeSecondFactorReset(
    userId: string,
    passkeys: boolean,
    reason: string,
    requestId: string,
  ): Promise<staff.StaffProposal> {
    return this.session.send(
      call("post", "/v1/admin/users/{userId}:proposeSecondFactorReset", {
        path: { userId },
        body: { passkeys, reason, requestId },
      }),
    );
  }

  /** Second factors that were proposed to be taken away, newest first: `state=PENDING`. */
  listSecondFactorResets(page: Page): Promise<staff.RoleProposalPage> {
    return this.session.send(call("get", "/v1/admin/secondFactorResets", { query: page }));
  }

  approveSecondFactorReset(proposalId: string, note = ""): Promise<staff.StaffProposal> {
    return this.session.send(
      call("post", "/v1/admin/secondFactorResets/{proposalId}:approve", {
        path: { proposalId },
        body: { note },
      }),
    );
  }

  rejectSecondFactorReset(proposalId: string, note: string): Promise<staff.StaffProposal> {
    return this.session.send(
      call("post", "/v1/admin/secondFactorResets/{proposalId}:reject", {
        path: { proposalId },
        body: { note },
      }),
    );
  }

  withdrawSecondFactorReset(proposalId: string, note: string): Promise<staff.StaffProposal> {
    return this.session.send(
      call("post", "/v1/admin/secondFactorResets/{proposalId}:withdraw", {
        path: { proposalId },
        body: { note },
      }),
    );
  }

  /** Proposals about roles of one kind, newest first: `kind=role.grant AND state=PENDING`. */
  listRoleProposals(page: Page): Promise<staff.RoleProposalPage> {
    return this.session.send(call("get", "/v1/admin/roleProposals", { query: page }));
  }

  approveRoleProposal(proposalId: string, note = ""): Promise<staff.StaffProposal> {
    return this.session.send(
      call("post", "/v1/admin/roleProposals/{proposalId}:approve", {
        path: { proposalId },
        body: { note },
      }),
    );
  }

  rejectRoleProposal(proposalId: string, note: string): Promise<staff.StaffProposal> {
    return this.session.send(
      call("post", "/v1/admin/roleProposals/{proposalId}:reject", {
        path: { proposalId },
        body: { note },
      }),
    );
  }

  /** Takes back what one proposed oneself. */
  withdrawRoleProposal(proposalId: string, note: string): Promise<staff.StaffProposal> {
    return this.session.send(
      call("post", "/v1/admin/roleProposals/{proposalId}:withdraw", {
        path: { proposalId },
        body: { note },
      }),
    );
  }

  /** Asks for a user to be erased, once for each request id; a second person approves it. */
  proposeErasure(userId: string, reason: string, requestId: string): Promise<staff.StaffProposal> {
    return this.session.send(
      call("post", "/v1/admin/users/{userId}:proposeErasure", {
        path: { userId },
        body: { reason, requestId },
      }),
    );
  }

  listErasureProposals(query: Page = {}): Promise<staff.ErasureProposalPage> {
    return this.session.send(call("get", "/v1/admin/erasureProposals", { query }));
  }

  approveErasureProposal(proposalId: string, note: string): Promise<staff.StaffProposal> {
    return this.session.send(
      call("post", "/v1/admin/erasureProposals/{proposalId}:approve", {
        path: { proposalId },
        body: { note },
      }),
    );
  }

  rejectErasureProposal(proposalId: string, note: string): Promise<staff.StaffProposal> {
    return this.session.send(
      call("post", "/v1/admin/erasureProposals/{proposalId}:reject", {
        path: { proposalId },
        body: { note },
      }),
    );
  }

  /** Takes back what one proposed oneself. */
  withdrawErasureProposal(proposalId: string, note: string): Promise<staff.StaffProposal> {
    return this.session.send(
      call("post", "/v1/admin/erasureProposals/{proposalId}:withdraw", {
        path: { proposalId },
        body: { note },
      }),
    );
  }

  /** Asks for a correction of a balance, once for each request id; a second person approves it. */
  proposeAdjustment(
    accountId: string,
    amount: Money,
    reason: string,
    requestId: string,
  ): Promise<staff.Adjustment> {
    return this.session.send(
      call("post", "/v1/accounts/{accountId}/adjustments", {
        path: { accountId },
        body: { amount, reason, requestId },
      }),
    );
  }

  /** Asks to take back the results of a banned user's days (UTC), once for each request id. */
  proposeAnnulment(
    accountId: string,
    days: { readonly firstDate: string; readonly lastDate: string },
    reason: string,
    requestId: string,
  ): Promise<staff.Adjustment> {
    return this.session.send(
      call("post", "/v1/accounts/{accountId}/annulments", {
        path: { accountId },
        body: { ...days, reason, requestId },
      }),
    );
  }

  /** The names of the books. */
  async listBooks(): Promise<readonly string[]> {
    const request = call("get", "/v1/books", {});
    return (await this.session.send<staff.Books>(request)).books;
  }

  /** A book's adjustments, newest first. */
  listAdjustments(book: string, query: Page = {}): Promise<staff.AdjustmentPage> {
    return this.session.send(
      call("get", "/v1/books/{book}/adjustments", { path: { book }, query }),
    );
  }

  approveAdjustment(adjustmentId: string, note = ""): Promise<staff.Adjustment> {
    return this.session.send(
      call("post", "/v1/adjustments/{adjustmentId}:approve", {
        path: { adjustmentId },
        body: { note },
      }),
    );
  }

  rejectAdjustment(adjustmentId: string, note: string): Promise<staff.Adjustment> {
    return this.session.send(
      call("post", "/v1/adjustments/{adjustmentId}:reject", {
        path: { adjustmentId },
        body: { note },
      }),
    );
  }

  withdrawAdjustment(adjustmentId: string, note: string): Promise<staff.Adjustment> {
    return this.session.send(
      call("post", "/v1/adjustments/{adjustmentId}:withdraw", {
        path: { adjustmentId },
        body: { note },
      }),
    );
  }

  /** Voided prices, newest first. */
  listVoids(query: Page = {}): Promise<staff.VoidPage> {
    return this.session.send(call("get", "/v1/voids", { query }));
  }

  approveVoid(voidId: string, note = ""): Promise<staff.Void> {
    return this.session.send(
      call("post", "/v1/voids/{voidId}:approve", { path: { voidId }, body: { note } }),
    );
  }

  rejectVoid(voidId: string, note: string): Promise<staff.Void> {
    return this.session.send(
      call("post", "/v1/voids/{voidId}:reject", { path: { voidId }, body: { note } }),
    );
  }

  withdrawVoid(voidId: string, note: string): Promise<staff.Void> {
    return this.session.send(
      call("post", "/v1/voids/{voidId}:withdraw", { path: { voidId }, body: { note } }),
    );
  }

  /** Documents that wait for a reviewer, oldest first. */
  listDocumentsForReview(query: Page = {}): Promise<staff.ReviewPage> {
    return this.session.send(call("get", "/v1/kycReviews", { query }));
  }

  /** What is in a document. It is on record who looks, and one that waited is in review then. */
  readDocument(documentId: string): Promise<Download> {
    return this.session.download(
      call("post", "/v1/kycReviews/{documentId}:read", { path: { documentId }, body: {} }),
    );
  }

  approveDocument(documentId: string, expireTime?: string): Promise<staff.KycDocument> {
    const body = expireTime === undefined ? {} : { expireTime };
    return this.session.send(
      call("post", "/v1/kycReviews/{documentId}:approve", { path: { documentId }, body }),
    );
  }

  rejectDocument(
    documentId: string,
    rejection: staff.DocumentRejection,
  ): Promise<staff.KycDocument> {
    return this.session.send(
      call("post", "/v1/kycReviews/{documentId}:reject", {
        path: { documentId },
        body: { rejection },
      }),
    );
  }

  /** The audit trail, newest first. The search itself is put on record. */
  listAuditRecords(query: Page & Range = {}): Promise<staff.AuditPage> {
    return this.session.send(call("get", "/v1/auditRecords", { query }));
  }

  /** What staff wrote about a user, newest first. */
  listUserNotes(userId: string, query: Page = {}): Promise<staff.NotePage> {
    return this.session.send(
      call("get", "/v1/admin/users/{userId}/notes", { path: { userId }, query }),
    );
  }

  /** Writes a note about a user, once for each request id. */
  writeUserNote(userId: string, text: string, requestId: string): Promise<staff.UserNote> {
    return this.session.send(
      call("post", "/v1/admin/users/{userId}/notes", {
        path: { userId },
        body: { text, requestId },
      }),
    );
  }

  /** What a user has set to protect himself. */
  getUserProtection(userId: string): Promise<Protection> {
    return this.session.send(
      call("get", "/v1/admin/users/{userId}/protection", { path: { userId } }),
    );
  }

  /** The devices and addresses of a user, the one seen last first. */
  listUserTraces(userId: string, query: Page = {}): Promise<staff.TracePage> {
    return this.session.send(
      call("get", "/v1/admin/users/{userId}/traces", { path: { userId }, query }),
    );
  }

  /** Who is linked with a user, with what both were seen at. */
  listLinkedUsers(userId: string, query: Page = {}): Promise<staff.LinkedUserPage> {
    return this.session.send(
      call("get", "/v1/admin/users/{userId}/linkedUsers", { path: { userId }, query }),
    );
  }

  /** Groups of linked users, the one with the newest first user first; `userId=…` for his. */
  listUserClusters(query: Page = {}): Promise<staff.ClusterPage> {
    return this.session.send(call("get", "/v1/admin/userClusters", { query }));
  }

  /** What links the users of a cluster, devices first. */
  listClusterLinks(clusterId: string, query: Page = {}): Promise<staff.ClusterLinkPage> {
    return this.session.send(
      call("get", "/v1/admin/userClusters/{clusterId}/links", { path: { clusterId }, query }),
    );
  }

  /** From where a user's orders of a book were placed, newest first. */
  listOrderOrigins(book: string, userId: string, query: Page = {}): Promise<staff.OrderOriginPage> {
    return this.session.send(
      call("get", "/v1/admin/books/{book}/users/{userId}/orderOrigins", {
        path: { book, userId },
        query,
      }),
    );
  }

  /** What needs a look, newest first. */
  listFraudFlags(query: Page = {}): Promise<staff.FlagPage> {
    return this.session.send(call("get", "/v1/admin/fraudFlags", { query }));
  }

  /** Notes that somebody has looked, and what came of it. */
  resolveFraudFlag(flagId: string, note: string): Promise<staff.FraudFlag> {
    return this.session.send(
      call("post", "/v1/admin/fraudFlags/{flagId}:resolve", { path: { flagId }, body: { note } }),
    );
  }

  /** The mails that stayed on the platform for want of a mail server, newest first. */
  listMails(query: Page = {}): Promise<staff.MailPage> {
    return this.session.send(call("get", "/v1/mails", { query }));
  }

  /** Begins or ends maintenance, or changes what is told of it; see `Client.getMaintenance`. */
  setMaintenance(wish: staff.MaintenanceWish): Promise<Maintenance> {
    return this.session.send(call("put", "/v1/admin/maintenance", { body: wish }));
  }
}
