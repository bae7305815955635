/** As many instruments stay within one press. */
export const TABS_MAX = 6;

/** The tabs once an instrument is shown: it has one, and the first gives way where it must. */
export function withTab(tabs: readonly string[], symbol: string): readonly string[] {
  return tabs.includes(symbol) ? tabs : [...tabs, symbol].slice(-TABS_MAX);
}

/** The tabs without one of them; the last one stays. */
export function withoutTab(tabs: readonly string[], symbol: string): readonly string[] {
  return tabs.length > 1 ? tabs.filter((each) => each !== symbol) : tabs;
}

/** Which tab to show when one is closed: the one that takes its place. */
export function neighbour(tabs: readonly string[], symbol: string): string | undefined {
  const index = tabs.indexOf(symbol);
  return tabs[index + 1] ?? tabs[index - 1];
}
