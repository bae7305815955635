import type { Adjustment, StaffClient, StaffProposal, Void } from "@veritick/client";
import type { ListPage } from "@veritick/ui";
import { filterText } from "./filter";
import type { Source } from "./merge";

/** What somebody proposed, with what its kind adds, and how a second person decides it. */
export interface Pending {
  readonly key: string;
  readonly kind: ProposalKind;
  readonly proposal: StaffProposal;
  readonly adjustment?: Adjustment;
  readonly voided?: Void;
}

export type ProposalKind =
  "role.grant" | "role.change" | "factor.reset" | "user.erase" | "adjustment" | "void";

interface KindRules {
  /** Who sees them, and who decides. */
  readonly read: string;
  readonly decide: string;
}

export const KINDS: Readonly<Record<ProposalKind, KindRules>> = {
  "role.grant": { read: "roles.read", decide: "roles.approve" },
  "role.change": { read: "roles.read", decide: "roles.approve" },
  "factor.reset": { read: "users.read", decide: "users.factor.approve" },
  "user.erase": { read: "users.read", decide: "users.erase.approve" },
  adjustment: { read: "ledger.read", decide: "ledger.adjust.approve" },
  void: { read: "audit.read", decide: "settlement.void.approve" },
};

export const KIND_NAMES = Object.keys(KINDS) as ProposalKind[];

const PAGE = 50;

/** The lists that hold proposals of a kind in a state; every book has its own adjustments. */
export function sourcesOf(
  staff: StaffClient,
  kind: ProposalKind,
  state: string,
  books: readonly string[],
): readonly Source<Pending>[] {
  switch (kind) {
    case "role.grant":
    case "role.change":
      return [{ read: (token) => rolePage(staff, kind, state, token) }];
    case "factor.reset":
      return [{ read: (token) => resetPage(staff, state, token) }];
    case "user.erase":
      return [{ read: (token) => erasurePage(staff, state, token) }];
    case "adjustment":
      return books.map((book) => ({ read: (token) => adjustmentPage(staff, book, state, token) }));
    case "void":
      return [{ read: (token) => voidPage(staff, state, token) }];
  }
}

async function rolePage(
  staff: StaffClient,
  kind: "role.grant" | "role.change",
  state: string,
  pageToken: string | undefined,
): Promise<ListPage<Pending>> {
  const filter = filterText({ kind, state });
  const page = await staff.listRoleProposals({ filter, pageSize: PAGE, pageToken });
  const items = page.proposals.map((proposal) => ({ key: proposal.proposalId, kind, proposal }));
  return { items, nextPageToken: page.nextPageToken };
}

async function resetPage(
  staff: StaffClient,
  state: string,
  pageToken: string | undefined,
): Promise<ListPage<Pending>> {
  const filter = filterText({ state });
  const page = await staff.listSecondFactorResets({ filter, pageSize: PAGE, pageToken });
  const kind = "factor.reset" as const;
  const items = page.proposals.map((proposal) => ({ key: proposal.proposalId, kind, proposal }));
  return { items, nextPageToken: page.nextPageToken };
}

async function erasurePage(
  staff: StaffClient,
  state: string,
  pageToken: string | undefined,
): Promise<ListPage<Pending>> {
  const filter = filterText({ state });
  const page = await staff.listErasureProposals({ filter, pageSize: PAGE, pageToken });
  const items = page.proposals.map((proposal) => ({
    key: proposal.proposalId,
    kind: "user.erase" as const,
    proposal,
  }));
  return { items, nextPageToken: page.nextPageToken };
}

async function adjustmentPage(
  staff: StaffClient,
  book: string,
  state: string,
  pageToken: string | undefined,
): Promise<ListPage<Pending>> {
  const filter = filterText({ state });
  const page = await staff.listAdjustments(book, { filter, pageSize: PAGE, pageToken });
  const items = page.adjustments.map((adjustment) => ({
    key: adjustment.adjustmentId,
    kind: "adjustment" as const,
    proposal: adjustment.proposal,
    adjustment,
  }));
  return { items, nextPageToken: page.nextPageToken };
}

async function voidPage(
  staff: StaffClient,
  state: string,
  pageToken: string | undefined,
): Promise<ListPage<Pending>> {
  const filter = filterText({ state });
  const page = await staff.listVoids({ filter, pageSize: PAGE, pageToken });
  const items = page.voids.map((voided) => ({
    key: voided.voidId,
    kind: "void" as const,
    proposal: voided.proposal,
    voided,
  }));
  return { items, nextPageToken: page.nextPageToken };
}

/** What can be done about a proposal that waits; only who proposed it withdraws it. */
export type Step = "approve" | "reject" | "withdraw";

/** Takes a step about a proposal of any kind. */
export async function decide(
  staff: StaffClient,
  { key, kind }: Pending,
  step: Step,
  note: string,
): Promise<StaffProposal> {
  switch (kind) {
    case "role.grant":
    case "role.change":
      return await staff[`${step}RoleProposal`](key, note);
    case "factor.reset":
      return await staff[`${step}SecondFactorReset`](key, note);
    case "user.erase":
      return await staff[`${step}ErasureProposal`](key, note);
    case "adjustment":
      return (await staff[`${step}Adjustment`](key, note)).proposal;
    case "void":
      return (await staff[`${step}Void`](key, note)).proposal;
  }
}

/** What a proposal asks for, as its kind writes it. */
export function contentOf({ content }: StaffProposal): Readonly<Record<string, string>> {
  return JSON.parse(content) as Record<string, string>;
}
