import { defineStore } from "pinia";
import { ref, watch, type Ref } from "vue";

function remembered<Value>(name: string, initial: Value): Ref<Value> {
  const key = `veritick.${name}`;
  const stored = localStorage.getItem(key);
  const value = ref(stored === null ? initial : (JSON.parse(stored) as Value)) as Ref<Value>;
  watch(value, (now) => {
    localStorage.setItem(key, JSON.stringify(now));
  });
  return value;
}

/** What this browser remembers of its user's choices. */
export const usePreferences = defineStore("preferences", () => ({
  symbol: remembered("symbol", ""),
  intervalSeconds: remembered("interval", 5),
  stakeText: remembered("stake", "10"),
  durationSeconds: remembered("duration", 30),
}));
