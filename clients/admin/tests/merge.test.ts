import { describe, expect, test } from "vitest";
import { MergedList, type Source } from "~/domain/merge";

/** A list of moments, in pages of two. */
function source(moments: readonly number[], asked: (string | undefined)[] = []): Source<string> {
  return {
    read: (token) => {
      asked.push(token);
      const from = Number(token ?? 0);
      const page = moments.slice(from, from + 2).map((hour) => `2026-11-26T${hour}:00:00Z`);
      const next = from + 2 < moments.length ? String(from + 2) : "";
      return Promise.resolve({ items: page, nextPageToken: next });
    },
  };
}

async function pagesOf(list: MergedList<string>): Promise<string[][]> {
  const pages: string[][] = [];
  for (let more = true; more;) {
    const page = await list.next();
    pages.push(page.items.map((time) => time.slice(11, 13)));
    more = page.nextPageToken !== "";
  }
  return pages;
}

describe("lists that are each newest first", () => {
  test("are one list that is newest first, however their pages fall", async () => {
    const lists = [source([23, 20, 17, 11]), source([22, 21, 19, 18, 10]), source([])];
    const merged = new MergedList(lists, (time) => time, 4);
    expect(await pagesOf(merged)).toEqual([
      ["23", "22", "21", "20"],
      ["19", "18", "17", "11"],
      ["10"],
    ]);
  });

  test("are read no further than what is shown needs", async () => {
    const asked: (string | undefined)[] = [];
    const lists = [source([23, 22, 21]), source([15, 14, 13, 12, 11], asked)];
    await new MergedList(lists, (time) => time, 2).next();
    expect(asked).toEqual([undefined]);
  });

  test("lose nothing when one of them fails on the way", async () => {
    const [first, second] = [source([23, 20]), source([22, 21, 19])];
    let failing = true;
    const flaky: Source<string> = {
      read: (token) =>
        token !== undefined && failing ? Promise.reject(new Error("away")) : second.read(token),
    };
    const merged = new MergedList([first, flaky], (time) => time);
    expect((await merged.next()).items).toHaveLength(3);
    await expect(merged.next()).rejects.toThrow("away");
    failing = false;
    expect(await pagesOf(merged)).toEqual([["20", "19"]]);
  });

  test("of which there are none are an empty list", async () => {
    expect(await pagesOf(new MergedList<string>([], (time) => time))).toEqual([[]]);
  });
});
