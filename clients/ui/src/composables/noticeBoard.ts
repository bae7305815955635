import { ref, type Ref } from "vue";

export type NoticeTone = "good" | "bad" | "neutral";

/** A short message that leaves by itself. */
export interface Notice {
  readonly id: number;
  readonly tone: NoticeTone;
  readonly title: string;
  readonly text: string;
}

export interface NoticeBoard {
  readonly notices: Ref<readonly Notice[]>;
  readonly tell: (tone: NoticeTone, title: string, text?: string) => void;
  readonly dismiss: (id: number) => void;
}

const LIFE_MS = 6_000;
const MOST = 4;

/** What just happened, told once: what the notice store of an app is made of. */
export function noticeBoard(): NoticeBoard {
  const notices = ref<readonly Notice[]>([]);
  let last = 0;

  function tell(tone: NoticeTone, title: string, text = ""): void {
    const id = (last += 1);
    notices.value = [...notices.value, { id, tone, title, text }].slice(-MOST);
    setTimeout(() => {
      dismiss(id);
    }, LIFE_MS);
  }

  function dismiss(id: number): void {
    notices.value = notices.value.filter((notice) => notice.id !== id);
  }

  return { notices, tell, dismiss };
}
