import { call, type Call } from "./call.ts";
import { isTokenRefusal } from "./failure.ts";
import { NOBODY, type Download, type Http } from "./http.ts";
import type { IdentitySession as Session } from "./schema.ts";
import type { Caller } from "./session.ts";

/**
 * The session of a program, which keeps its tokens itself.
 *
 * A call refused for its token is repeated once with a new one. A refresh token works once, so
 * however many calls are refused together, one refresh serves all.
 */
export class TokenSession implements Caller {
  private readonly http: Http;
  private tokens: Session;
  private renewing: Promise<void> | undefined;

  private constructor(http: Http, tokens: Session) {
    this.http = http;
    this.tokens = tokens;
  }

  /** Signs in. Throws `Failure`: INVALID_CREDENTIALS, USER_BLOCKED or RATE_LIMITED among others. */
  static async open(http: Http, email: string, password: string): Promise<TokenSession> {
    const request = call("post", "/v1/sessions", { body: { email, password } });
    return new TokenSession(http, await http.send<Session>(request, undefined, NOBODY));
  }

  send<Answer>(request: Call, timeoutSeconds?: number): Promise<Answer> {
    return this.signedIn((headers) => this.http.send<Answer>(request, timeoutSeconds, headers));
  }

  /** Asks for a file. */
  download(request: Call): Promise<Download> {
    return this.signedIn((headers) => this.http.download(request, headers));
  }

  private async signedIn<Answer>(
    attempt: (headers: Readonly<Record<string, string>>) => Promise<Answer>,
  ): Promise<Answer> {
    const { accessToken } = this.tokens;
    try {
      return await attempt(bearer(accessToken));
    } catch (error) {
      if (!isTokenRefusal(error)) throw error;
      await this.renew(accessToken);
      return await attempt(bearer(this.tokens.accessToken));
    }
  }

  private async renew(refused: string): Promise<void> {
    if (this.tokens.accessToken !== refused) return;
    this.renewing ??= this.refresh().finally(() => (this.renewing = undefined));
    await this.renewing;
  }

  private async refresh(): Promise<void> {
    const { refreshToken } = this.tokens;
    const request = call("post", "/v1/sessions:refresh", { body: { refreshToken } });
    this.tokens = await this.http.send<Session>(request, undefined, NOBODY);
  }
}

function bearer(accessToken: string): Readonly<Record<string, string>> {
  return { Authorization: `Bearer ${accessToken}` };
}
