import type { ListPage } from "@veritick/ui";

/** A list that is read page by page, newest first. */
export interface Source<Item> {
  readonly read: (pageToken: string | undefined) => Promise<ListPage<Item>>;
}

interface Strand<Item> {
  readonly source: Source<Item>;
  items: readonly Item[];
  /** Where the next page begins; `undefined` before the first. */
  token: string | undefined;
  ended: boolean;
}

/** Several lists, each newest first, read as one list, newest first. */
export class MergedList<Item> {
  private readonly strands: Strand<Item>[];
  private readonly timeOf: (item: Item) => string;
  private readonly pageSize: number;

  /** `timeOf` tells when an item came to be, RFC 3339 in UTC. */
  constructor(sources: readonly Source<Item>[], timeOf: (item: Item) => string, pageSize = 50) {
    this.strands = sources.map((source) => ({ source, items: [], token: undefined, ended: false }));
    this.timeOf = timeOf;
    this.pageSize = pageSize;
  }

  /** Reads the next page; `nextPageToken` only tells whether there is another. */
  async next(): Promise<ListPage<Item>> {
    const items: Item[] = [];
    while (items.length < this.pageSize) {
      // Of a list that has nothing left to show the next page could begin with the newest item.
      if (!(await this.refilled(items.length > 0))) break;
      const strand = this.newest();
      if (strand?.items[0] === undefined) break;
      items.push(strand.items[0]);
      strand.items = strand.items.slice(1);
    }
    const more = this.strands.some((strand) => strand.items.length > 0 || !strand.ended);
    return { items, nextPageToken: more ? "more" : "" };
  }

  /** Fills up what has run out; a page that has begun ends early where that fails. */
  private async refilled(begun: boolean): Promise<boolean> {
    try {
      await Promise.all(this.strands.map(refill));
      return true;
    } catch (error) {
      if (!begun) throw error;
      return false;
    }
  }

  private newest(): Strand<Item> | undefined {
    const key = ({ items }: Strand<Item>): number => {
      const [first] = items;
      return first === undefined ? -Infinity : Date.parse(this.timeOf(first));
    };
    return this.strands.reduce<Strand<Item> | undefined>(
      (best, strand) => (best === undefined || key(strand) > key(best) ? strand : best),
      undefined,
    );
  }
}

async function refill<Item>(strand: Strand<Item>): Promise<void> {
  if (strand.items.length > 0 || strand.ended) return;
  const page = await strand.source.read(strand.token);
  strand.items = page.items;
  strand.token = page.nextPageToken;
  strand.ended = page.nextPageToken === "";
}
