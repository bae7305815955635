import type * as contract from "./schema.ts";

/**
 * A message of the contract, with those of its parts that are always there.
 *
 * On the wire every message inside a message may be absent; which ones never are is told by the
 * comments of the contract only. Parts must exist in the contract, or this does not compile.
 */
export type With<
  Message,
  Parts extends { [Part in keyof Parts]: Part extends keyof Message ? unknown : never },
> = Omit<Message, keyof Parts> & Readonly<Parts>;

export type Book = contract.Book;
export type Candle = With<contract.Candle, { startTime: string }>;
export type Direction = contract.Direction;
export type LogInRequest = contract.LogInRequest;
export type RegisterRequest = contract.RegisterRequest;
export type Maintenance = contract.Maintenance;
export type MarketStatus = contract.MarketStatus;
export type Money = contract.Money;
export type Outcome = contract.OrderOutcome;
export type PlaceOrderRequest = With<contract.PlaceOrderRequest, { stake: Money }>;
export type Price = contract.Price;
export type Problem = contract.Problem;
export type Reason = contract.Problem["reason"];
export type Session = contract.QuotesSession;
export type StreamTicket = contract.CreateStreamTicketResponse;
export type User = contract.User;
export type VoidReason = contract.VoidReason;

export type Tick = With<contract.Tick, { price: Price; time: string }>;

export type Instrument = contract.Instrument;

export type Terms = With<contract.Terms, { stakeMin: Money; stakeMax: Money }>;

export type Account = With<contract.Account, { posted: Money; held: Money; available: Money }>;

export type Order = With<
  contract.Order,
  { stake: Money; entryTick: Tick; closeTick?: Tick; openTime: string; expireTime: string }
>;

export type Entry = With<contract.Entry, { amount: Money; balance: Money; time: string }>;
export type EntryKind = contract.EntryKind;

export type Fixing = With<
  contract.Fixing,
  { time: string; tick?: Tick; ticksBefore: readonly Tick[]; ticksAfter: readonly Tick[] }
>;

export type Receipt = With<
  contract.Receipt,
  {
    stake: Money;
    returned: Money;
    entryTick: Tick;
    fixing: Fixing;
    openTime: string;
    expireTime: string;
    closeTime: string;
  }
>;

export type ListAccountsResponse = With<
  contract.ListAccountsResponse,
  { accounts: readonly Account[] }
>;
export type ListCandlesResponse = With<
  contract.ListCandlesResponse,
  { candles: readonly Candle[] }
>;
export type DailyProfit = With<
  contract.DailyProfit,
  { stakes: Money; returned: Money; profit: Money }
>;
export type ListDailyProfitsResponse = With<
  contract.ListDailyProfitsResponse,
  { dailyProfits: readonly DailyProfit[] }
>;
export type ListEntriesResponse = With<contract.ListEntriesResponse, { entries: readonly Entry[] }>;
export type ListInstrumentsResponse = contract.ListInstrumentsResponse;
export type ListOrdersResponse = With<contract.ListOrdersResponse, { orders: readonly Order[] }>;
export type ListTermsResponse = With<contract.ListTermsResponse, { terms: readonly Terms[] }>;

/** What the channels deliver, by the type of the message. */
export interface EventData {
  readonly "order.opened.v1": With<contract.OrderOpened, { order: Order }>;
  readonly "order.settled.v1": With<contract.OrderSettled, { order: Order }>;
  readonly "balance.changed.v1": With<contract.BalanceChanged, { account: Account }>;
  readonly "payout.changed.v1": With<contract.PayoutChanged, { terms: Terms }>;
  readonly "instrument.changed.v1": With<contract.InstrumentChanged, { instrument: Instrument }>;
  readonly "user.changed.v1": contract.UserChanged;
  readonly "session.ended.v1": contract.SessionEnded;
  readonly "api.key.ended.v1": contract.ApiKeyEnded;
  readonly "kyc.changed.v1": contract.KycChanged;
  readonly "protection.changed.v1": contract.ProtectionChanged;
  readonly "reality.check.due.v1": contract.RealityCheckDue;
  readonly "ticks.v1": { readonly ticks: readonly Tick[] };
  readonly "candles.v1": ListCandlesResponse;
  /** The present state of prices, in the shape of the channel's other messages. */
  readonly snapshot: { readonly ticks?: readonly Tick[]; readonly candles?: readonly Candle[] };
}
