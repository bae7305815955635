import { beforeEach, expect, test, vi } from "vitest";
import type { PageConnection } from "../src/connection";
import { keepSession, type KeptSession } from "../src/session";

const CREDENTIALS = { email: "trader@example.org", password: "a long password" };

beforeEach(() => {
  vi.stubGlobal("localStorage", { setItem: () => undefined, removeItem: () => undefined });
});

/** A session whose end is answered when the test says so; `done` keeps what was answered. */
function leaving(): { session: KeptSession; done: string[]; end: (error?: Error) => void } {
  const done: string[] = [];
  let end: (error?: Error) => void = () => undefined;
  const ended = new Promise<void>((resolve, reject) => {
    end = (error) => {
      if (error === undefined) resolve();
      else reject(error);
    };
  });
  const answer = (what: string): Promise<void> => {
    done.push(what);
    return Promise.resolve();
  };
  const connection = {
    client: { logIn: () => answer("signed in"), getProfile: () => answer("profile") },
    logOut: () => ended.then(() => answer("signed out")),
    onSessionEnd: () => undefined,
  };
  return { session: keepSession(connection as unknown as PageConnection), done, end };
}

test("a session opens after the last one has ended, whose end would take its cookies", async () => {
  const { session, done, end } = leaving();
  const left = session.signOut();
  const entered = session.signIn(CREDENTIALS);
  await new Promise((resolve) => setImmediate(resolve));
  expect(done).toEqual([]);
  end();
  await Promise.all([left, entered]);
  expect(done).toEqual(["signed out", "signed in", "profile"]);
});

test("an end that could not be told keeps nobody from signing in", async () => {
  const { session, done, end } = leaving();
  const left = session.signOut();
  const entered = session.signIn(CREDENTIALS);
  end(new Error("the connection was lost"));
  await expect(left).rejects.toThrow("the connection was lost");
  await entered;
  expect(done).toEqual(["signed in", "profile"]);
});
