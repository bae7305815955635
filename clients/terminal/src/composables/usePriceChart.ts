import { onBeforeUnmount, onMounted, shallowRef, watch, type Ref, type ShallowRef } from "vue";
import type { AxisTexts, TickKind } from "@/chart/chartOptions";
import { readPalette } from "@/chart/palette";
import type { PriceChart, Reading } from "@/chart/priceChart";
import { drawnPriceText } from "@veritick/ui/number";
import { clockText, momentText } from "@veritick/ui/time";
import { useTexts } from "@/messages";
import { useScheme } from "./useAppearance";

export interface ChartHandle {
  /** The chart, as soon as its library has been loaded. */
  readonly chart: ShallowRef<PriceChart | undefined>;
  readonly reading: Readonly<ShallowRef<Reading | undefined>>;
}

/** A chart in an element, in the theme and the language of now. */
export function usePriceChart(
  container: Readonly<Ref<HTMLElement | null>>,
  older: () => void,
): ChartHandle {
  const { locale } = useTexts();
  const scheme = useScheme();
  const chart = shallowRef<PriceChart>();
  const reading = shallowRef<Reading>();

  // Fetched while the rest of the page is put together.
  const library = import("@/chart/priceChart");
  onMounted(async () => {
    const { PriceChart: Chart } = await library;
    if (container.value === null) return;
    chart.value = new Chart(container.value, readPalette(), axisTexts(locale.value), {
      older,
      read: (now) => (reading.value = now),
    });
  });
  onBeforeUnmount(() => {
    chart.value?.remove();
    chart.value = undefined;
  });
  watch(scheme, () => chart.value?.paint(readPalette()), { flush: "post" });
  watch(locale, () => chart.value?.write(axisTexts(locale.value)));
  return { chart, reading };
}

const PARTS: Readonly<Partial<Record<TickKind, Intl.DateTimeFormatOptions>>> = {
  year: { year: "numeric" },
  month: { month: "short" },
  day: { day: "numeric", month: "short" },
};

function axisTexts(locale: string): AxisTexts {
  return {
    price: (price, decimals) => drawnPriceText(price, decimals, locale),
    full: (seconds) => momentText(seconds * 1000, locale),
    tick: (seconds, kind) => {
      const parts = PARTS[kind];
      const time = new Date(seconds * 1000);
      if (parts !== undefined) return new Intl.DateTimeFormat(locale, parts).format(time);
      const clock = clockText(seconds * 1000, locale);
      return kind === "minute" ? clock.slice(0, 5) : clock;
    },
  };
}
