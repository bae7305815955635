import type { Failure } from "@veritick/client";
import { onScopeDispose, ref, shallowRef, watch, type Ref } from "vue";
import { CandleReader } from "@/chart/candleReader";
import type { Bar } from "@/domain/candles";
import { usePlatform } from "@/platform";
import { useConnection } from "@/stores/connection";
import { useMarket } from "@/stores/market";

/** What the chart itself shows. */
export interface BarsView {
  replace(bars: readonly Bar[], priceScale: number, interval: number, fresh: boolean): void;
  prepend(bars: readonly Bar[], interval: number, added: number): void;
  grow(from: number): void;
}

export interface Candles {
  /** The bars as they are now; grows in place with every tick. */
  readonly bars: Readonly<Ref<readonly Bar[]>>;
  readonly loading: Readonly<Ref<boolean>>;
  readonly failure: Readonly<Ref<Failure | undefined>>;
  readonly older: () => void;
}

/** So long the first candles wait for the socket; what is read before it opens is read again. */
const SOCKET_PATIENCE_MS = 1_500;

/** The candles of the chosen instrument and interval, shown in `view` as soon as there is one. */
export function useCandles(
  symbol: Readonly<Ref<string>>,
  intervalSeconds: Readonly<Ref<number>>,
  view: Readonly<Ref<BarsView | undefined>>,
): Candles {
  const { client } = usePlatform();
  const market = useMarket();
  const connection = useConnection();
  const bars = shallowRef<readonly Bar[]>([]);
  const loading = ref(true);
  const due = ref(connection.open);
  const failure = shallowRef<Failure>();
  let priceScale = 0;
  let reader: CandleReader | undefined;
  let mute = (): void => undefined;

  function close(): void {
    mute();
    reader?.stop();
    reader = undefined;
  }

  function open(): void {
    close();
    bars.value = [];
    loading.value = true;
    if (symbol.value === "" || !due.value) return;
    const opened = new CandleReader(client, symbol.value, intervalSeconds.value, {
      replaced: (all, scale, fresh) => {
        [bars.value, priceScale, loading.value] = [all, scale, false];
        view.value?.replace(all, scale, intervalSeconds.value, fresh);
      },
      prepended: (all, added) => {
        bars.value = all;
        view.value?.prepend(all, intervalSeconds.value, added);
      },
      grew: (from) => view.value?.grow(from),
      failed: (now) => (failure.value = now),
    });
    reader = opened;
    mute = market.onTick(symbol.value, (tick) => {
      opened.take(tick);
    });
  }

  const patience = setTimeout(() => (due.value = true), SOCKET_PATIENCE_MS);
  watch([symbol, intervalSeconds, due], open, { immediate: true });
  watch(view, (shown) => {
    if (!loading.value) shown?.replace(bars.value, priceScale, intervalSeconds.value, true);
  });
  watch(
    () => connection.open,
    (isOpen) => {
      if (isOpen && due.value) reader?.refresh();
      else if (isOpen) due.value = true;
    },
  );
  onScopeDispose(() => {
    clearTimeout(patience);
    close();
  });
  return { bars, loading, failure, older: () => reader?.older() };
}
