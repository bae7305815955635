import { persist } from "@veritick/ui/persist";
import { onScopeDispose } from "vue";
import { signInsSince } from "@/domain/notification";
import { usePlatform } from "@/platform";
import { useNotices } from "@/stores/notices";
import { useNotifications } from "@/stores/notifications";
import { remembered } from "@/stores/remembered";
import { useSession } from "@/stores/session";
import { useHappeningText } from "./useHappeningText";

/** How often it is asked whether somebody signed in elsewhere. */
const EVERY_MS = 60_000;

/** Tells of sign-ins elsewhere, also of those since this browser was here last. */
export function useSignIns(): void {
  const { own } = usePlatform();
  const notifications = useNotifications();
  const notices = useNotices();
  const textOf = useHappeningText();
  const owner = useSession().user?.userId ?? "";
  /** Up to when this browser knows of the user's sign-ins. */
  const heard = remembered<number | undefined>(`signIns.${owner}`, undefined);
  let giveUp = (): void => undefined;

  async function look(): Promise<void> {
    const sessions = await own.listSessions();
    const newest = Math.max(0, ...sessions.map(({ createTime }) => Date.parse(createTime)));
    const since = heard.value ?? newest; // a browser that is new here has nothing to tell
    for (const { happening, time } of signInsSince(sessions, since)) {
      if (notifications.add(happening, time)) notices.tell("neutral", ...textOf(happening));
    }
    heard.value = Math.max(since, newest);
  }

  function begin(): void {
    giveUp();
    giveUp = persist(look);
  }

  begin();
  const beat = setInterval(begin, EVERY_MS);
  onScopeDispose(() => {
    clearInterval(beat);
    giveUp();
  });
}
