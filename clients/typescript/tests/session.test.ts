import { describe, expect, test } from "vitest";
import { CookieSession, Failure, Http, type Surroundings } from "../src/index.ts";
import { call } from "../src/call.ts";

const PROFILE = call("get", "/v1/users/me", {});

/** An edge whose access tokens have run out until somebody refreshes. */
class Edge {
  expired = true;
  refusal: string | undefined;
  readonly requests: string[] = [];

  readonly answer = (url: string, init: RequestInit): Promise<Response> => {
    this.requests.push(`${init.method ?? ""} ${url}`);
    return Promise.resolve(this.respond(url));
  };

  private respond(url: string): Response {
    if (url === "/v1/sessions:refresh") {
      if (this.refusal !== undefined) return problem(401, this.refusal);
      this.expired = false;
      return Response.json({});
    }
    return this.expired ? problem(401, "TOKEN_EXPIRED") : Response.json({ email: "ada" });
  }
}

function problem(status: number, reason: string): Response {
  return Response.json({ reason }, { status });
}

/** One browser: its tabs share a lock and the time of the last refresh. */
function browser(): Surroundings {
  let queue: Promise<unknown> = Promise.resolve();
  let [time, refreshed] = [0, 0];
  return {
    exclusively: (work) => {
      const turn = queue.then(work);
      queue = turn.catch(() => undefined);
      return turn;
    },
    lastRefresh: () => refreshed,
    noteRefresh: (at) => (refreshed = at),
    now: () => (time += 1),
  };
}

function tab(edge: Edge, shared = browser(), onEnd?: () => void): CookieSession {
  return new CookieSession(new Http("", edge.answer), shared, onEnd);
}

describe("a call refused for its token", () => {
  test("is repeated once after a refresh", async () => {
    const edge = new Edge();
    expect(await tab(edge).send(PROFILE)).toEqual({ email: "ada" });
    expect(edge.requests).toEqual([
      "GET /v1/users/me",
      "POST /v1/sessions:refresh",
      "GET /v1/users/me",
    ]);
  });

  test("refreshes once for all calls of all tabs", async () => {
    const edge = new Edge();
    const shared = browser();
    const [first, second] = [tab(edge, shared), tab(edge, shared)];
    await Promise.all([first.send(PROFILE), first.send(PROFILE), second.send(PROFILE)]);
    expect(edge.requests.filter((each) => each.includes("refresh"))).toHaveLength(1);
  });

  test("ends the session when it cannot be refreshed", async () => {
    const edge = new Edge();
    edge.refusal = "SESSION_ENDED";
    let ended = 0;
    const session = tab(edge, browser(), () => (ended += 1));
    await expect(session.send(PROFILE)).rejects.toThrow("SESSION_ENDED");
    expect(ended).toBe(1);
  });

  test("does not end the session when the edge is away", async () => {
    const edge = new Edge();
    edge.refusal = "UNAVAILABLE";
    let ended = 0;
    const session = tab(edge, browser(), () => (ended += 1));
    await expect(session.send(PROFILE)).rejects.toThrow("UNAVAILABLE");
    expect(ended).toBe(0);
  });
});

test("who stops reading waits no more for what is read, but for what changes something", async () => {
  const signals = new Map<string, AbortSignal | null | undefined>();
  const endless = (_: string, { method, signal }: RequestInit): Promise<Response> => {
    signals.set(method ?? "", signal);
    return new Promise((_, reject) => {
      signal?.addEventListener("abort", () => {
        reject(signal.reason as Error);
      });
    });
  };
  const session = new CookieSession(new Http("", endless), browser());
  const profile = session.send(PROFILE);
  void session.send(call("post", "/v1/streamTickets", {}));

  session.stopReading();

  await expect(profile).rejects.toMatchObject({ reason: "CONNECTION_LOST" });
  expect(signals.get("POST")?.aborted).toBe(false);
  void session.send(PROFILE);
  expect(signals.get("GET")?.aborted).toBe(false);
});

describe("what goes wrong has a reason", () => {
  test("of the platform, with field and metadata", async () => {
    const refusal = { reason: "STAKE_BELOW_MINIMUM", metadata: { stake_min_minor_units: "100" } };
    const http = new Http("", () => Promise.resolve(Response.json(refusal, { status: 400 })));
    const failure = await http.send(PROFILE).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Failure);
    expect(failure).toMatchObject({ ...refusal, status: 400, worthRepeating: false });
  });

  test("when something else answered", async () => {
    const http = new Http("", () => Promise.resolve(new Response("<html>", { status: 502 })));
    await expect(http.send(PROFILE)).rejects.toMatchObject({ reason: "UNREADABLE_ANSWER" });
  });

  test("when nobody answered", async () => {
    const http = new Http("", () => Promise.reject(new TypeError("no route")));
    const expected = { reason: "CONNECTION_LOST", worthRepeating: true };
    await expect(http.send(PROFILE)).rejects.toMatchObject(expected);
  });

  test("when an answer broke off", async () => {
    const half = new ReadableStream({
      start: (controller) => {
        controller.error(new TypeError("reset"));
      },
    });
    const http = new Http("", () => Promise.resolve(new Response(half)));
    await expect(http.send(PROFILE)).rejects.toMatchObject({ reason: "CONNECTION_LOST" });
  });
});

test("each call carries the header that proves whose page asks", async () => {
  const sent: RequestInit[] = [];
  const http = new Http("", (_, init) => {
    sent.push(init);
    return Promise.resolve(Response.json({}));
  });
  await http.send(PROFILE);
  await http.send(call("delete", "/v1/sessions/current", {}));
  expect(sent.map(({ headers }) => headers)).toEqual([
    { "Veritick-Session": "cookie" },
    { "Veritick-Session": "cookie" },
  ]);
});

test("names in a path and a query are escaped, and what is not given is left out", () => {
  const request = call("get", "/v1/accounts/{accountId}/orders", {
    path: { accountId: "demo_1/2" },
    query: { filter: "state=OPEN AND outcome=WIN", pageSize: 50, pageToken: undefined },
  });
  expect(request.path).toBe(
    "/v1/accounts/demo_1%2F2/orders?filter=state%3DOPEN+AND+outcome%3DWIN&pageSize=50",
  );
});
