import type { EventData, StreamMessage } from "@veritick/client";
import { defineStore } from "pinia";
import { usePlatform } from "@/platform";

type Kind = keyof EventData;
/** Told what happened; nothing after a gap. */
type Listener<K extends Kind> = (data?: EventData[K]) => void;

/** What happens to the user rather than to an account: documents, protection, sessions. */
export const useUserEvents = defineStore("userEvents", () => {
  const { stream } = usePlatform();
  const listeners = new Map<Kind, Set<(data?: unknown) => void>>();
  let end: () => void = () => undefined;

  /** Follows a user until `close`. After a gap everybody is told, for anything may have happened. */
  function follow(userId: string): void {
    close();
    end = stream.subscribe(`user:${userId}`, {
      message: ({ type, data }: StreamMessage) => {
        tell(listeners.get(type), data);
      },
      gap: () => {
        for (const set of listeners.values()) tell(set);
      },
    });
  }

  function close(): void {
    end();
    end = () => undefined;
  }

  function tell(set: ReadonlySet<(data?: unknown) => void> | undefined, data?: unknown): void {
    for (const listener of set ?? []) listener(data);
  }

  /** Tells that something of a kind happened, until the returned function is called. */
  function on<K extends Kind>(kind: K, listener: Listener<K>): () => void {
    const set = listeners.get(kind) ?? new Set();
    const hear = listener as (data?: unknown) => void;
    listeners.set(kind, set.add(hear));
    return () => set.delete(hear);
  }

  return { follow, close, on };
});
