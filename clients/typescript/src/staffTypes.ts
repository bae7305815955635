import type * as contract from "./schema.ts";
import type { Account, Entry, Money, Order, User, With } from "./types.ts";

/** What staff see; see `types.ts` for what `With` says. */

export type AuditOutcome = contract.AuditRecordOutcome;
export type AuditRecord = With<contract.AuditRecord, { time: string }>;
export type AuditPage = With<
  contract.ListAuditRecordsResponse,
  { records: readonly AuditRecord[] }
>;

export type DocumentKind = contract.KycDocumentKind;
export type DocumentState = contract.KycDocumentState;
export type DocumentRejection = contract.KycDocumentRejection;
export type KycDocument = With<contract.KycDocument, { createTime: string }>;
export type ReviewPage = With<
  contract.ListDocumentsForReviewResponse,
  { documents: readonly KycDocument[] }
>;

export type Books = contract.ListBooksResponse;

export type ProposalState = contract.StaffProposalState;
export type StaffProposal = With<
  contract.StaffProposal,
  { proposeTime: string; expireTime: string }
>;
export type Adjustment = With<contract.Adjustment, { amount: Money; proposal: StaffProposal }>;
export type Void = With<contract.Void, { time: string; proposal: StaffProposal }>;
export type RoleProposalPage = With<
  contract.ListRoleProposalsResponse,
  { proposals: readonly StaffProposal[] }
>;
export type ErasureProposalPage = With<
  contract.ListErasureProposalsResponse,
  { proposals: readonly StaffProposal[] }
>;
export type AdjustmentPage = With<
  contract.ListAdjustmentsResponse,
  { adjustments: readonly Adjustment[] }
>;
export type VoidPage = With<contract.ListVoidsResponse, { voids: readonly Void[] }>;

export type RoleDefinition = contract.RoleDefinition;
export type Roles = contract.ListRolesResponse;
export type RoleGrant = With<
  contract.GrantRoleResponse,
  { user: KnownUser; proposal?: StaffProposal }
>;
export type RoleChange = With<contract.SetRoleResponse, { proposal?: StaffProposal }>;

export type KnownUser = With<User, { createTime: string }>;
export type UserPage = With<contract.ListUsersResponse, { users: readonly KnownUser[] }>;
export type UserSession = With<
  contract.OpenSession,
  { createTime: string; lastUseTime: string; expireTime: string }
>;

export type UserAccounts = With<
  contract.ListUserAccountsResponse,
  { accounts: readonly Account[] }
>;
export type AccountOrders = With<contract.ListAccountOrdersResponse, { orders: readonly Order[] }>;
export type AccountEntries = With<
  contract.ListAccountEntriesResponse,
  { entries: readonly Entry[] }
>;

export type UserNote = With<contract.UserNote, { createTime: string }>;
export type NotePage = With<contract.ListUserNotesResponse, { notes: readonly UserNote[] }>;

export type UserTrace = With<contract.UserTrace, { firstSeenTime: string; lastSeenTime: string }>;
export type TracePage = With<contract.ListUserTracesResponse, { traces: readonly UserTrace[] }>;
export type LinkedUser = With<contract.LinkedUser, { shared: readonly UserTrace[] }>;
export type LinkedUserPage = With<
  contract.ListLinkedUsersResponse,
  { linkedUsers: readonly LinkedUser[] }
>;
export type FlagRule = contract.FraudFlagRule;
export type FlagState = contract.FraudFlagState;
export type FraudFlag = With<contract.FraudFlag, { createTime: string }>;
export type FlagPage = With<contract.ListFraudFlagsResponse, { flags: readonly FraudFlag[] }>;
export type UserCluster = contract.UserCluster;
export type ClusterPage = With<
  contract.ListUserClustersResponse,
  { clusters: readonly UserCluster[] }
>;
export type ClusterLink = With<contract.ClusterLink, { lastSeenTime: string }>;
export type ClusterLinkPage = With<
  contract.ListClusterLinksResponse,
  { links: readonly ClusterLink[] }
>;
export type OrderOrigin = With<contract.OrderOrigin, { openTime: string }>;
export type OrderOriginPage = With<
  contract.ListOrderOriginsResponse,
  { origins: readonly OrderOrigin[] }
>;

export type DeliveredMail = With<contract.DeliveredMail, { time: string }>;
export type MailPage = With<contract.ListMailsResponse, { mails: readonly DeliveredMail[] }>;

export type MaintenanceWish = contract.SetMaintenanceRequest;
