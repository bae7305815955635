import type { EventData, StreamMessage } from "@veritick/client";
import { defineStore } from "pinia";
import { usePlatform } from "@/platform";

type Kind = keyof EventData;
type Listener = () => void;

/** What happens to the user rather than to an account: documents, protection, sessions. */
export const useUserEvents = defineStore("userEvents", () => {
  const { stream } = usePlatform();
  const listeners = new Map<Kind, Set<Listener>>();
  let end: () => void = () => undefined;

  /** Follows a user until `close`. After a gap everybody is told, for anything may have happened. */
  function follow(userId: string): void {
    close();
    end = stream.subscribe(`user:${userId}`, {
      message: ({ type }: StreamMessage) => {
        tell(listeners.get(type));
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

  function tell(set: ReadonlySet<Listener> | undefined): void {
    for (const listener of set ?? []) listener();
  }

  /** Tells that something of a kind happened, until the returned function is called. */
  function on(kind: Kind, listener: Listener): () => void {
    const set = listeners.get(kind) ?? new Set();
    listeners.set(kind, set.add(listener));
    return () => set.delete(listener);
  }

  return { follow, close, on };
});
