import type { EventData } from "@veritick/client";
import { onScopeDispose } from "vue";
import { useUserEvents } from "@/stores/userEvents";

/** Reads again what `read` reads, whenever something of these kinds has happened to the user. */
export function useUserEvent(kinds: readonly (keyof EventData)[], read: () => unknown): void {
  const events = useUserEvents();
  for (const kind of kinds) onScopeDispose(events.on(kind, () => void read()));
}
