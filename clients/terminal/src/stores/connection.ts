import type { StreamState } from "@veritick/client";
import { defineStore } from "pinia";
import { computed, ref } from "vue";
import { usePlatform } from "@/platform";

/** Whether pushed data arrives, and what time it is at the server. */
export const useConnection = defineStore("connection", () => {
  const { stream, clock } = usePlatform();
  const state = ref<StreamState>(stream.state);
  const wasOpen = ref(false);
  const now = ref(clock.now());

  stream.onState((next) => {
    state.value = next;
    if (next === "open") wasOpen.value = true;
    if (next === "idle") wasOpen.value = false;
  });
  setInterval(() => {
    now.value = clock.now();
  }, 200);
  // A page may come back from sleep, from another network, or from the browser's own history.
  window.addEventListener("online", wake);
  window.addEventListener("pageshow", ({ persisted }) => {
    if (persisted) wake();
  });
  document.addEventListener("resume", wake);
  document.addEventListener("visibilitychange", wake);

  function wake(): void {
    if (document.visibilityState !== "visible") return;
    now.value = clock.now();
    stream.wake();
  }

  const open = computed(() => state.value === "open");
  const lost = computed(() => wasOpen.value && !open.value);

  /** `now` is the server's clock in milliseconds, five times a second. */
  return { state, open, lost, now };
});
