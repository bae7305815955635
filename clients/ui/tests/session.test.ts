import { beforeEach, expect, test, vi } from "vitest";
import type { PageConnection } from "../src/connection";
import { keepSession, type KeptSession } from "../src/session";

const CREDENTIALS = { email: "trader@example.org", password: "a long password" };

beforeEach(() => {
  vi.stubGlobal("localStorage", { setItem: () => undefined, removeItem: () => undefined });
});

interface Leaving {
  readonly session: KeptSession;
  readonly done: string[];
  readonly end: (error?: Error) => void;
  /** Refuses a call for want of a session. */
  readonly refuse: () => void;
}

/** A session whose end is answered when the test says so; `done` keeps what was answered. */
function leaving(): Leaving {
  const done: string[] = [];
  let end: (error?: Error) => void = () => undefined;
  const ended = new Promise<void>((resolve, reject) => {
    end = (error) => {
      if (error === undefined) resolve();
      else reject(error);
    };
  });
  const answer = <Answer>(what: string, content?: Answer): Promise<Answer | undefined> => {
    done.push(what);
    return Promise.resolve(content);
  };
  let refuse: () => void = () => undefined;
  const connection = {
    client: {
      logIn: () => answer("signed in"),
      getProfile: () => answer("profile", { userId: "1" }),
    },
    logOut: () => ended.then(() => answer("signed out")),
    onSessionEnd: (listener: () => void) => (refuse = listener),
  };
  return { session: keepSession(connection as unknown as PageConnection), done, end, refuse };
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

test("that a session has ended is said, however many calls are refused for it", async () => {
  const { session, refuse } = leaving();
  await session.signIn(CREDENTIALS);
  refuse();
  refuse();
  expect(session.signedOut.value).toBe("ended");
  expect(session.user.value).toBeUndefined();
});
