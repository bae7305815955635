import type { Call } from "./call";
import { Failure, failureOf } from "./failure";

/** How one HTTP request is made; replaced in tests. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

const TIMEOUT_SECONDS = 10;

/**
 * Sends JSON and reads JSON, with the session's cookie.
 *
 * Throws `Failure`: the platform's reason, or CONNECTION_LOST when no answer arrived in time.
 */
export class Http {
  constructor(
    private readonly base = "",
    private readonly fetch: Fetch = (url, init) => globalThis.fetch(url, init),
  ) {}

  async send<Answer>(call: Call, timeoutSeconds = TIMEOUT_SECONDS): Promise<Answer> {
    let response: Response;
    try {
      response = await this.fetch(this.base + call.path, init(call, timeoutSeconds));
    } catch (error) {
      throw new Failure({ reason: "CONNECTION_LOST", detail: String(error) });
    }
    if (!response.ok) throw await failureOf(response);
    return (await response.json()) as Answer;
  }
}

function init({ method, body }: Call, timeoutSeconds: number): RequestInit {
  const common: RequestInit = {
    method,
    credentials: "same-origin",
    signal: AbortSignal.timeout(timeoutSeconds * 1000),
  };
  if (method === "GET") return common;
  // Another site cannot add this header: it proves that our own page asks.
  const headers: Record<string, string> = { "Veritick-Session": "cookie" };
  if (body === undefined) return { ...common, headers };
  headers["Content-Type"] = "application/json";
  return { ...common, headers, body: JSON.stringify(body), keepalive: true };
}
