import { defineStore } from "pinia";
import { computed } from "vue";
import {
  identify,
  withNotification,
  type Happening,
  type Notification,
} from "@/domain/notification";
import { remembered } from "./remembered";

const MOST = 50;

/** What happened that the trader may not have seen; kept in this browser. */
export const useNotifications = defineStore("notifications", () => {
  const items = remembered<readonly Notification[]>("notifications", []);
  const seenUntil = remembered("notifications.seen", 0);
  const owner = remembered("notifications.owner", "");
  const unread = computed(() => items.value.filter(({ time }) => time > seenUntil.value).length);

  /** Keeps what happened at a moment; answers whether it is news. */
  function add(happening: Happening, time: number): boolean {
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
