import { computed, watch, type Ref } from "vue";
import { neighbour, withoutTab, withTab } from "@/domain/tabs";
import { useMarket } from "@/stores/market";
import { usePreferences } from "@/stores/preferences";

export interface Tabs {
  readonly tabs: Readonly<Ref<readonly string[]>>;
  readonly chosen: Ref<string>;
  readonly close: (symbol: string) => void;
}

/** The instruments in tabs: each that is chosen gets one. */
export function useTabs(): Tabs {
  const preferences = usePreferences();
  const market = useMarket();
  const tabs = computed(() =>
    market.instruments.length === 0
      ? preferences.tabs
      : preferences.tabs.filter((symbol) => market.find(symbol) !== undefined),
  );

  watch(
    () => preferences.symbol,
    (symbol) => {
      if (symbol !== "") preferences.tabs = withTab(preferences.tabs, symbol);
    },
    { immediate: true },
  );

  function close(symbol: string): void {
    const next = neighbour(tabs.value, symbol);
    if (next === undefined) return;
    preferences.tabs = withoutTab(preferences.tabs, symbol);
    if (preferences.symbol === symbol) preferences.symbol = next;
  }

  const chosen = computed({
    get: () => preferences.symbol,
    set: (symbol) => (preferences.symbol = symbol),
  });
  return { tabs, chosen, close };
}
