import type { Failure, Instrument, StreamMessage, Terms, Tick } from "@veritick/client";
import { defineStore } from "pinia";
import { computed, ref, shallowReactive, shallowRef } from "vue";
import { firstChoice, freshness, move } from "@/domain/market";
import { persist } from "@veritick/ui/persist";
import { usePlatform } from "@/platform";
import { useConnection } from "./connection";
import { usePreferences } from "./preferences";

/** The last price of an instrument and which way it went. */
export interface Quote {
  readonly tick: Tick;
  readonly move: -1 | 0 | 1;
}

type TickListener = (tick: Tick) => void;

/** What can be traded, on which terms, at which price. */
export const useMarket = defineStore("market", () => {
  const { client, stream, clock } = usePlatform();
  const connection = useConnection();
  const preferences = usePreferences();

  const instruments = shallowRef<readonly Instrument[]>([]);
  const terms = shallowReactive(new Map<string, Terms>());
  const quotes = shallowReactive(new Map<string, Quote>());
  const failure = shallowRef<Failure>();
  const listeners = new Map<string, Set<TickListener>>();
  const arrived = new Map<string, Quote>();
  const watched = new Set<string>();
  const book = ref("");
  let endings: (() => void)[] = [];
  let painting = 0;
  let giveUp: () => void = () => undefined;

  const instrument = computed(() => find(preferences.symbol));
  const quote = computed(() => quotes.get(preferences.symbol));
  const tickAge = computed(() => {
    const tick = quote.value?.tick;
    return tick && Math.max(0, connection.now - Date.parse(tick.time));
  });
  const fresh = computed(() =>
    connection.open ? freshness(instrument.value, tickAge.value) : "stale",
  );
  const second = computed(() => Math.floor(connection.now / 1000) * 1000);
  /** The instruments whose price here is one of now, judged once a second. */
  const live = computed(
    () => new Set(instruments.value.filter(isLive).map(({ symbol }) => symbol)),
  );

  function isLive(each: Instrument): boolean {
    const tick = quotes.get(each.symbol)?.tick;
    const age = tick && second.value - Date.parse(tick.time);
    return connection.open && ["live", "slow"].includes(freshness(each, age));
  }

  function find(symbol: string): Instrument | undefined {
    return instruments.value.find((each) => each.symbol === symbol);
  }

  /** Reads everything, and keeps it current until `close`. */
  function open(bookName: string): void {
    close();
    book.value = bookName;
    endings = [
      stream.subscribe("instruments", { message: takeInstrument, gap: load }),
      stream.subscribe(`payouts:${bookName}`, { message: takeTerms, gap: load }),
    ];
    load();
  }

  function close(): void {
    giveUp();
    for (const end of endings) end();
    endings = [];
    watched.clear();
    arrived.clear();
    instruments.value = [];
    terms.clear();
    quotes.clear();
  }

  function load(): void {
    giveUp();
    giveUp = persist(read, (now) => (failure.value = now));
  }

  async function read(): Promise<void> {
    const [listed, conditions] = await Promise.all([
      client.listInstruments(),
      client.listTerms(book.value),
    ]);
    for (const each of conditions) terms.set(each.instrument, each);
    instruments.value = listed;
    for (const { symbol } of listed) watchTicks(symbol);
    if (find(preferences.symbol) === undefined) {
      preferences.symbol = firstChoice(listed, terms) ?? "";
    }
  }

  function watchTicks(symbol: string): void {
    if (watched.has(symbol)) return;
    watched.add(symbol);
    endings.push(stream.subscribe(`ticks:${symbol}`, { message: takeTicks }));
  }

  function takeInstrument({ type, data }: StreamMessage): void {
    if (type !== "instrument.changed.v1") return;
    const { instrument: changed } = data;
    const others = instruments.value.filter(({ symbol }) => symbol !== changed.symbol);
    const listed = changed.status === "HIDDEN" ? others : [...others, changed];
    instruments.value = listed.sort((left, right) => left.position - right.position);
    watchTicks(changed.symbol);
  }

  function takeTerms({ type, data }: StreamMessage): void {
    if (type === "payout.changed.v1") terms.set(data.terms.instrument, data.terms);
  }

  function takeTicks({ type, data }: StreamMessage): void {
    if (type !== "ticks.v1" && type !== "snapshot") return;
    for (const tick of data.ticks ?? []) {
      if (type !== "snapshot") clock.observe(Date.parse(tick.time));
      const before = arrived.get(tick.instrument)?.tick;
      arrived.set(tick.instrument, { tick, move: move(before, tick) });
      for (const tell of listeners.get(tick.instrument) ?? []) tell(tick);
    }
    painting ||= requestAnimationFrame(paint);
  }

  /** Shows at most one price per instrument and frame, however many arrived. */
  function paint(): void {
    painting = 0;
    for (const [symbol, latest] of arrived) {
      if (quotes.get(symbol)?.tick.number !== latest.tick.number) quotes.set(symbol, latest);
    }
  }

  /** Tells every single tick of an instrument, until the returned function is called. */
  function onTick(symbol: string, listener: TickListener): () => void {
    const set = listeners.get(symbol) ?? new Set();
    listeners.set(symbol, set.add(listener));
    return () => set.delete(listener);
  }

  return {
    instruments,
    instrument,
    terms,
    quotes,
    quote,
    tickAge,
    fresh,
    live,
    failure,
    find,
    open,
    close,
    onTick,
  };
});
