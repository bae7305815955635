import { defineStore } from "pinia";
import { computed, ref } from "vue";
import { clockExpiries, cutoffOf, expireTimeOf, steppedClock, type Expiry } from "@/domain/expiry";
import { durationPresets, steppedDuration } from "@/domain/orderForm";
import { useConnection } from "./connection";
import { useMarket } from "./market";
import { usePreferences } from "./preferences";

/** When the order being prepared is to expire. */
export const useExpiry = defineStore("expiry", () => {
  const connection = useConnection();
  const market = useMarket();
  const preferences = usePreferences();
  const wished = ref(0);

  const terms = computed(() => market.terms.get(preferences.symbol));
  /** New only when a moment passes its cutoff, not with every beat of the clock. */
  const clockKey = computed(() => clockExpiries(terms.value, connection.now).join());
  const clockTimes = computed(() =>
    clockKey.value === "" ? [] : clockKey.value.split(",").map(Number),
  );
  /** What was chosen, until its cutoff; then the next one. */
  const clockTime = computed(() =>
    clockTimes.value.includes(wished.value) ? wished.value : clockTimes.value[0],
  );
  const cutoff = computed(() =>
    clockTime.value === undefined || terms.value === undefined
      ? undefined
      : cutoffOf(clockTime.value, terms.value),
  );
  const expiry = computed<Expiry | undefined>(() => {
    if (preferences.expiryMode === "duration") {
      return { durationSeconds: preferences.durationSeconds };
    }
    return clockTime.value === undefined ? undefined : { clockTime: clockTime.value };
  });
  const expireTime = computed(() => expiry.value && expireTimeOf(expiry.value, connection.now));

  function chooseClock(time: number): void {
    wished.value = time;
  }

  function step(way: 1 | -1): void {
    if (preferences.expiryMode === "duration") {
      preferences.durationSeconds = steppedDuration(preferences.durationSeconds, way, terms.value);
    } else if (clockTime.value !== undefined) {
      chooseClock(steppedClock(clockTimes.value, clockTime.value, way));
    }
  }

  return {
    presets: computed(() => durationPresets(terms.value)),
    clockTimes,
    clockTime,
    cutoff,
    expiry,
    expireTime,
    chooseClock,
    step,
  };
});
