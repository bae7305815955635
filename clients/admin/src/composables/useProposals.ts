import { usePages, type Pages } from "@veritick/ui";
import { ref, type Ref } from "vue";
import { MergedList } from "~/domain/merge";
import { KIND_NAMES, KINDS, sourcesOf, type Pending, type ProposalKind } from "~/domain/proposals";
import { usePlatform } from "~/platform";
import { useSession } from "~/stores/session";

export interface Proposals {
  readonly pages: Pages<Pending>;
  /** The kinds that whoever is signed in may see. */
  readonly kinds: readonly ProposalKind[];
  readonly reload: () => void;
}

/** What was proposed, of every kind that one may see or of one of them, newest first. */
export function useProposals(kind: Ref<ProposalKind | "">, state: Ref<string>): Proposals {
  const { staff } = usePlatform();
  const session = useSession();
  const kinds = KIND_NAMES.filter((each) => session.can(KINDS[each].read));
  const version = ref(0);
  let merged: Promise<MergedList<Pending>> | undefined;
  let books: readonly string[] | undefined;

  async function begin(): Promise<MergedList<Pending>> {
    const wanted = kind.value === "" ? kinds : kinds.filter((each) => each === kind.value);
    if (wanted.includes("adjustment")) books ??= await staff.listBooks();
    const sources = wanted.flatMap((each) => sourcesOf(staff, each, state.value, books ?? []));
    return new MergedList(sources, ({ proposal }) => proposal.proposeTime);
  }

  const pages = usePages<Pending>([kind, state, version], async (pageToken) => {
    if (pageToken === undefined || merged === undefined) merged = begin();
    return (await merged).next();
  });

  return {
    pages,
    kinds,
    reload: () => {
      version.value += 1;
    },
  };
}
