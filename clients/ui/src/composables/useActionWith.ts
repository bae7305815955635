import { Failure } from "@veritick/client";
import { ref, type Ref } from "vue";
import { NotConfirmed, type Confirmation } from "../confirmation";
import type { NoticeBoard } from "./noticeBoard";

/** How an app asks who somebody is, tells what came of something, and words what went wrong. */
export interface Manners {
  readonly confirmed: Confirmation["confirmed"];
  readonly tell: NoticeBoard["tell"];
  readonly textOf: (failure: Failure) => string;
  /** Says that something was not done. */
  readonly refused: () => string;
}

export interface Action {
  readonly busy: Readonly<Ref<boolean>>;
  /** Does something and says so, or why not; answers whether it was done. */
  readonly act: (work: () => Promise<string | undefined>) => Promise<boolean>;
}

/** Something that somebody does: asked who he is where that is needed, and told what came of it. */
export function useActionWith({ confirmed, tell, textOf, refused }: Manners): Action {
  const busy = ref(false);

  async function act(work: () => Promise<string | undefined>): Promise<boolean> {
    busy.value = true;
    try {
      const done = await confirmed(work);
      if (done !== undefined) tell("good", done);
      return true;
    } catch (error) {
      if (error instanceof Failure) tell("bad", refused(), textOf(error));
      else if (!(error instanceof NotConfirmed)) throw error;
      return false;
    } finally {
      busy.value = false;
    }
  }

  return { busy, act };
}
