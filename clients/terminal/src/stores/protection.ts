import type { Protection } from "@veritick/client";
import { defineStore } from "pinia";
import { computed, shallowRef } from "vue";
import { closureOf } from "@/domain/protection";
import { persist } from "@veritick/ui/persist";
import { usePlatform } from "@/platform";
import { useConnection } from "./connection";
import { useUserEvents } from "./userEvents";

/** What the user has set against himself. */
export const useProtection = defineStore("protection", () => {
  const { own } = usePlatform();
  const connection = useConnection();
  const events = useUserEvents();
  const protection = shallowRef<Protection>();
  let endings: (() => void)[] = [];

  /** What keeps the user from trading now. */
  const closure = computed(() => closureOf(protection.value, connection.now));

  /** Reads it, and keeps it current until `close`. */
  function open(): void {
    close();
    let giveUp = persist(read);
    endings = [
      events.on("protection.changed.v1", () => {
        giveUp();
        giveUp = persist(read);
      }),
      () => {
        giveUp();
      },
    ];
  }

  async function read(): Promise<void> {
    protection.value = await own.getProtection();
  }

  function close(): void {
    for (const end of endings) end();
    endings = [];
    protection.value = undefined;
  }

  return { protection, closure, open, close };
});
