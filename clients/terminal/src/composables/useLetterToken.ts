import { computed, type ComputedRef } from "vue";
import { useRoute } from "vue-router";

/** The token of the letter that led here; empty without one. No server sees what follows `#`. */
export function useLetterToken(): ComputedRef<string> {
  const route = useRoute();
  return computed(() => new URLSearchParams(route.hash.slice(1)).get("token") ?? "");
}
