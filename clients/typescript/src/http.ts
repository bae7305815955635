import type { Call } from "./call.ts";
import { Failure, failureOf } from "./failure.ts";

/** How one HTTP request is made; replaced in tests. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** A file of the platform, whole. */
export interface Download {
  readonly name: string;
  readonly content: Blob;
}

const TIMEOUT_SECONDS = 10;
const DOWNLOAD_TIMEOUT_SECONDS = 120;

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
    const response = await this.answer(call, timeoutSeconds, headers);
    try {
      return (await response.json()) as Answer;
    } catch (error) {
      throw lost(error);
    }
  }

  /** Asks for a file; one that breaks off is CONNECTION_LOST, never a part of it. */
  async download(call: Call, headers = OWN_PAGE): Promise<Download> {
    const response = await this.answer(call, DOWNLOAD_TIMEOUT_SECONDS, headers);
    const name = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "");
    try {
      return { name: name?.[1] ?? "download", content: await response.blob() };
    } catch (error) {
      throw lost(error);
    }
  }

  private async answer(
    call: Call,
    timeoutSeconds: number,
    headers: Readonly<Record<string, string>>,
  ): Promise<Response> {
    let response: Response;
    try {
      response = await this.fetch(this.base + call.path, init(call, timeoutSeconds, headers));
    } catch (error) {
      throw lost(error);
    }
    if (!response.ok) throw await failureOf(response);
    return response;
  }
}

function lost(error: unknown): Failure {
  return new Failure({ reason: "CONNECTION_LOST", detail: String(error) });
}

function init(
  { method, body, content, signal }: Call,
  timeoutSeconds: number,
  headers: Readonly<Record<string, string>>,
): RequestInit {
  const late = AbortSignal.timeout(timeoutSeconds * 1000);
  const common: RequestInit = {
    method,
    headers,
    credentials: "same-origin",
    // What changes something is sent even if its page is closed meanwhile; browsers let no file be.
    keepalive: method !== "GET" && content === undefined,
    signal: signal === undefined ? late : AbortSignal.any([late, signal]),
  };
  if (content !== undefined) {
    const type = content.type === "" ? "application/octet-stream" : content.type;
    return { ...common, headers: { ...headers, "Content-Type": type }, body: content };
  }
  if (body === undefined) return common;
  return {
    ...common,
    headers: { ...headers, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
}
