import { defineStore } from "pinia";
import { computed } from "vue";
import {
  identify,
  withNotification,
  type Happening,
  type Notification,
} from "@/domain/notification";
import { usePreferences } from "./preferences";
import { remembered } from "./remembered";

const MOST = 50;

/** What happened that the trader may not have seen; kept in this browser. */
export const useNotifications = defineStore("notifications", () => {
  const items = remembered<readonly Notification[]>("notifications", []);
  const seenUntil = remembered("notifications.seen", 0);
  const preferences = usePreferences();
  const owner = remembered("notifications.owner", "");
  const unread = computed(() => items.value.filter(({ time }) => time > seenUntil.value).length);

  /** Keeps what happened at a moment; answers whether it is news, and one to be told. */
  function add(happening: Happening, time: number): boolean {
    if (preferences.muted.includes(happening.kind)) return false;
    const before = items.value;
    items.value = withNotification(before, identify(happening, time), MOST);
    return items.value !== before;
  }

  function seeAll(): void {
    seenUntil.value = Math.max(seenUntil.value, items.value[0]?.time ?? 0);
  }

  /** Begins anew for another user of this browser than before. */
  function belongTo(userId: string): void {
    if (owner.value !== userId) items.value = [];
    owner.value = userId;
  }

  return { items, seenUntil, unread, add, seeAll, belongTo };
});
