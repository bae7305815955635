import { call } from "./call.ts";
import type { Download, Http } from "./http.ts";
import type { Caller } from "./session.ts";
import type {
  Account,
  Instrument,
  ListAccountsResponse,
  ListCandlesResponse,
  ListDailyProfitsResponse,
  ListEntriesResponse,
  ListInstrumentsResponse,
  ListOrdersResponse,
  ListTermsResponse,
  LogInRequest,
  Maintenance,
  Order,
  PlaceOrderRequest,
  Receipt,
  RegisterRequest,
  StreamTicket,
  Terms,
  User,
} from "./types.ts";

/** One page of a list. */
export interface Page {
  readonly pageSize?: number | undefined;
  readonly pageToken?: string | undefined;
  readonly filter?: string | undefined;
}

/** From `start` to before `end`, RFC 3339; without one of them there is no end on that side. */
export interface Range {
  readonly start?: string | undefined;
  readonly end?: string | undefined;
}

/** Which candles; without `end` the newest, oldest first. */
export interface CandleRange {
  readonly intervalSeconds: number;
  readonly end?: string | undefined;
  readonly pageSize?: number | undefined;
}

/** More instruments than this are not listed at once. */
const ALL = { pageSize: 500 };
/** Short, since a purchase that got no answer is asked for again. */
const TRADE_TIMEOUT_SECONDS = 4;

/** The calls of the contract, one method each; all throw `Failure`. */
export class Client {
  private readonly http: Http;
  private readonly session: Caller;

  constructor(http: Http, session: Caller) {
    this.http = http;
    this.session = session;
  }

  register(newcomer: RegisterRequest): Promise<User> {
    return this.http.send(call("post", "/v1/users", { body: newcomer }));
  }

  /** Opens a session, which the browser keeps in cookies that no script can read. */
  async logIn(credentials: LogInRequest): Promise<void> {
    await this.http.send(call("post", "/v1/sessions", { body: credentials }));
  }

  /** Confirms a mail address by the token of a letter, once. */
  async verifyEmail(token: string): Promise<void> {
    await this.http.send(call("post", "/v1/users:verifyEmail", { body: { token } }));
  }

  /** Asks for another letter to confirm the caller's mail address. */
  async requestEmailVerification(): Promise<void> {
    await this.session.send(call("post", "/v1/users/me:requestEmailVerification", {}));
  }

  /** Asks for a letter to choose a new password; nobody learns whether the address has a user. */
  async requestPasswordReset(email: string): Promise<void> {
    await this.http.send(call("post", "/v1/users:requestPasswordReset", { body: { email } }));
  }

  /** Chooses a new password by the token of a letter, once; every session of the user ends. */
  async resetPassword(token: string, newPassword: string): Promise<void> {
    const body = { token, newPassword };
    await this.http.send(call("post", "/v1/users:resetPassword", { body }));
  }

  async logOut(): Promise<void> {
    await this.session.send(call("delete", "/v1/sessions/current", {}));
  }

  getProfile(): Promise<User> {
    return this.session.send(call("get", "/v1/users/me", {}));
  }

  createStreamTicket(): Promise<StreamTicket> {
    return this.session.send(call("post", "/v1/streamTickets", {}));
  }

  /** Whether orders are taken at the moment, and what users are told where they are not. */
  getMaintenance(): Promise<Maintenance> {
    return this.http.send(call("get", "/v1/maintenance", {}));
  }

  async listInstruments(): Promise<readonly Instrument[]> {
    const request = call("get", "/v1/instruments", { query: ALL });
    return (await this.session.send<ListInstrumentsResponse>(request)).instruments;
  }

  async listTerms(book: string): Promise<readonly Terms[]> {
    const request = call("get", "/v1/books/{book}/terms", { path: { book }, query: ALL });
    return (await this.session.send<ListTermsResponse>(request)).terms;
  }

  listCandles(instrument: string, range: CandleRange): Promise<ListCandlesResponse> {
    const { intervalSeconds, end, pageSize } = range;
    return this.session.send(
      call("get", "/v1/instruments/{instrument}/candles", {
        path: { instrument },
        query: { interval: `${intervalSeconds}s`, end, pageSize },
      }),
    );
  }

  async listAccounts(): Promise<readonly Account[]> {
    const request = call("get", "/v1/accounts", {});
    return (await this.session.send<ListAccountsResponse>(request)).accounts;
  }

  getAccount(accountId: string): Promise<Account> {
    return this.session.send(call("get", "/v1/accounts/{accountId}", { path: { accountId } }));
  }

  /** Fills a demo account up; repeat with the same `requestId` when in doubt. */
  refillDemoAccount(accountId: string, requestId: string): Promise<Account> {
    return this.session.send(
      call("post", "/v1/accounts/{accountId}:refill", { path: { accountId }, body: { requestId } }),
    );
  }

  /** Buys; repeat the identical request when in doubt: it opens at most one order. */
  placeOrder(accountId: string, request: PlaceOrderRequest): Promise<Order> {
    return this.session.send(
      call("post", "/v1/accounts/{accountId}/orders", { path: { accountId }, body: request }),
      TRADE_TIMEOUT_SECONDS,
    );
  }

  getOrder(accountId: string, orderId: string): Promise<Order> {
    return this.session.send(
      call("get", "/v1/accounts/{accountId}/orders/{orderId}", { path: { accountId, orderId } }),
    );
  }

  /** An account's orders, newest first. */
  listOrders(accountId: string, page: Page & Range = {}): Promise<ListOrdersResponse> {
    return this.session.send(
      call("get", "/v1/accounts/{accountId}/orders", { path: { accountId }, query: page }),
    );
  }

  /** An account's statement, newest first. */
  listEntries(accountId: string, page: Page & Range = {}): Promise<ListEntriesResponse> {
    return this.session.send(
      call("get", "/v1/accounts/{accountId}/entries", { path: { accountId }, query: page }),
    );
  }

  /** What an account won and lost by day (UTC) and instrument, newest day first. */
  listDailyProfits(accountId: string, page: Page & Range = {}): Promise<ListDailyProfitsResponse> {
    return this.session.send(
      call("get", "/v1/accounts/{accountId}/dailyProfits", { path: { accountId }, query: page }),
    );
  }

  /** As CSV, all orders that `listOrders` lists. */
  exportOrders(accountId: string, query: Pick<Page, "filter"> & Range = {}): Promise<Download> {
    return this.session.download(
      call("get", "/v1/accounts/{accountId}/orders:export", { path: { accountId }, query }),
    );
  }

  /** As CSV, all entries that `listEntries` lists. */
  exportEntries(accountId: string, query: Pick<Page, "filter"> & Range = {}): Promise<Download> {
    return this.session.download(
      call("get", "/v1/accounts/{accountId}/entries:export", { path: { accountId }, query }),
    );
  }

  getReceipt(orderId: string): Promise<Receipt> {
    return this.session.send(call("get", "/v1/orders/{orderId}/receipt", { path: { orderId } }));
  }
}
