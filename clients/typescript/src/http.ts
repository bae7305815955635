import type { Call } from "./call.ts";
import { Failure, failureOf } from "./failure.ts";

/** How one HTTP request is made; replaced in tests. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

const TIMEOUT_SECONDS = 10;

/** Another site cannot add this header: it proves that our own page asks, by its cookie. */
const OWN_PAGE: Readonly<Record<string, string>> = { "Veritick-Session": "cookie" };
/** What a program says before it has a token: its tokens then come in the answer. */
export const NOBODY: Readonly<Record<string, string>> = {};

/**
 * Sends JSON and reads JSON. Whose call it is, is said by `headers`: by default the page's cookie.
 *
 * Throws `Failure`: the platform's reason, or CONNECTION_LOST when no answer arrived in time.
 */
export class Http {
  private readonly base: string;
  private readonly fetch: Fetch;

  constructor(base = "", fetch: Fetch = (url, init) => globalThis.fetch(url, init)) {
    this.base = base;
    this.fetch = fetch;
  }

  async send<Answer>(
    call: Call,
    timeoutSeconds = TIMEOUT_SECONDS,
    headers = OWN_PAGE,
  ): Promise<Answer> {
    let response: Response;
    try {
      response = await this.fetch(this.base + call.path, init(call, timeoutSeconds, headers));
    } catch (error) {
      throw new Failure({ reason: "CONNECTION_LOST", detail: String(error) });
    }
    if (!response.ok) throw await failureOf(response);
    return (await response.json()) as Answer;
  }
}

function init(
  { method, body }: Call,
  timeoutSeconds: number,
  headers: Readonly<Record<string, string>>,
): RequestInit {
  const common: RequestInit = {
    method,
    headers,
    credentials: "same-origin",
    signal: AbortSignal.timeout(timeoutSeconds * 1000),
  };
  if (body === undefined) return common;
  return {
    ...common,
    headers: { ...headers, "Content-Type": "application/json" },
    body: JSON.stringify(body),
    keepalive: true,
  };
}
