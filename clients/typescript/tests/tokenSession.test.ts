import { expect, test } from "vitest";
import { Failure, Http, TokenSession } from "../src/index.ts";
import { call } from "../src/call.ts";

const PROFILE = call("get", "/v1/users/me", {});

/** An edge that gives tokens by number, and takes only the newest. */
class Edge {
  newest = 0;
  ended = false;
  readonly requests: string[] = [];

  readonly answer = (path: string, { method, headers, body }: RequestInit): Promise<Response> => {
    const authorization = new Headers(headers).get("Authorization") ?? "nobody";
    const { refreshToken } = JSON.parse((body as string | undefined) ?? "{}") as {
      refreshToken?: string;
    };
    this.requests.push([method, path, authorization, refreshToken].filter(Boolean).join(" "));
    if (path.startsWith("/v1/sessions")) return Promise.resolve(this.tokens());
    const good = authorization === `Bearer access ${this.newest}`;
    return Promise.resolve(good ? Response.json({ email: "ada" }) : problem("TOKEN_EXPIRED"));
  };

  private tokens(): Response {
    if (this.ended) return problem("SESSION_ENDED");
    this.newest += 1;
    const [accessToken, refreshToken] = [`access ${this.newest}`, `refresh ${this.newest}`];
    return Response.json({ accessToken, refreshToken });
  }
}

function problem(reason: string): Response {
  return Response.json({ reason }, { status: 401 });
}

test("a program's calls carry its token, and no cookie", async () => {
  const edge = new Edge();
  const session = await TokenSession.open(new Http("", edge.answer), "ada", "secret");
  expect(await session.send(PROFILE)).toEqual({ email: "ada" });
  expect(edge.requests).toEqual(["POST /v1/sessions nobody", "GET /v1/users/me Bearer access 1"]);
});

test("calls refused together are repeated after one refresh", async () => {
  const edge = new Edge();
  const session = await TokenSession.open(new Http("", edge.answer), "ada", "secret");
  edge.newest = 9;
  await Promise.all([session.send(PROFILE), session.send(PROFILE)]);
  expect(edge.requests.filter((request) => request.includes("refresh"))).toEqual([
    "POST /v1/sessions:refresh nobody refresh 1",
  ]);
});

test("a session that has ended says so", async () => {
  const edge = new Edge();
  const session = await TokenSession.open(new Http("", edge.answer), "ada", "secret");
  [edge.newest, edge.ended] = [9, true];
  await expect(session.send(PROFILE)).rejects.toEqual(
    new Failure({ reason: "SESSION_ENDED" }, 401),
  );
});
