import { call, type Call } from "./call.ts";
import { Failure, isTokenRefusal, type FailureReason } from "./failure.ts";
import type { Download, Http } from "./http.ts";

/** Who makes calls on behalf of somebody. */
export interface Caller {
  /** Throws `Failure`. */
  send<Answer>(request: Call, timeoutSeconds?: number): Promise<Answer>;
  /** Asks for a file. */
  download(request: Call): Promise<Download>;
}

/** What the session needs of the browser; replaced in tests. */
export interface Surroundings {
  /** Runs `work` while no other tab of this origin runs its own. */
  exclusively<T>(work: () => Promise<T>): Promise<T>;
  /** When any tab last refreshed, in milliseconds of `now()`; 0 when never. */
  lastRefresh(): number;
  noteRefresh(time: number): void;
  now(): number;
}

/** The edge puts the refresh token in, which only it can read. */
const IN_COOKIE = { refreshToken: "" };

/** Answers to a refresh after which there is no session any more. */
const ENDED: ReadonlySet<FailureReason> = new Set<FailureReason>([
  "REFRESH_TOKEN_REUSED",
  "SESSION_ENDED",
  "SESSION_TIME_LIMIT",
  "TOKEN_EXPIRED",
  "UNAUTHENTICATED",
  "USER_BLOCKED",
]);

/**
 * Keeps a cookie session alive: a call refused for its token is repeated once after a refresh.
 *
 * Refresh tokens work once, so all tabs together refresh once: the first takes the lock, the
 * others wait for it and find the work done.
 */
export class CookieSession implements Caller {
  private readonly http: Http;
  private readonly surroundings: Surroundings;
  private readonly onEnd: () => void;
  private refreshing: Promise<void> | undefined;
  private reading = new AbortController();

  /** `onEnd` is told once per failed call that the session cannot be kept alive. */
  constructor(http: Http, surroundings = browser(), onEnd: () => void = () => undefined) {
    this.http = http;
    this.surroundings = surroundings;
    this.onEnd = onEnd;
  }

  send<Answer>(request: Call, timeoutSeconds?: number): Promise<Answer> {
    const { signal } = this.reading;
    const kept = request.method === "GET" ? { ...request, signal } : request;
    return this.signedIn(() => this.http.send<Answer>(kept, timeoutSeconds));
  }

  /** Waits no more for what is still being read, which fails: who signs out asks for nothing. */
  stopReading(): void {
    this.reading.abort();
    this.reading = new AbortController();
  }

  /** Asks for a file. */
  download(request: Call): Promise<Download> {
    return this.signedIn(() => this.http.download(request));
  }

  private async signedIn<Answer>(attempt: () => Promise<Answer>): Promise<Answer> {
    const asked = this.surroundings.now();
    try {
      return await attempt();
    } catch (error) {
      if (!isTokenRefusal(error)) throw error;
      await this.refresh(asked);
      return await attempt();
    }
  }

  private async refresh(since: number): Promise<void> {
    this.refreshing ??= this.surroundings
      .exclusively(() => this.refreshUnlessDone(since))
      .finally(() => (this.refreshing = undefined));
    try {
      await this.refreshing;
    } catch (error) {
      if (error instanceof Failure && ENDED.has(error.reason)) this.onEnd();
      throw error;
    }
  }

  private async refreshUnlessDone(since: number): Promise<void> {
    if (this.surroundings.lastRefresh() >= since) return;
    await this.http.send(call("post", "/v1/sessions:refresh", { body: IN_COOKIE }));
    this.surroundings.noteRefresh(this.surroundings.now());
  }
}

function browser(): Surroundings {
  const key = "veritick.refreshed";
  return {
    exclusively: async (work) => {
      // `locks` exists on secure origins only; elsewhere one tab is all we can serve.
      const locks = (navigator as Partial<Navigator>).locks;
      return locks === undefined ? work() : await locks.request("veritick.refresh", work);
    },
    lastRefresh: () => Number(localStorage.getItem(key) ?? 0),
    noteRefresh: (time) => {
      localStorage.setItem(key, String(time));
    },
    now: () => Date.now(),
  };
}
