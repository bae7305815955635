import { Failure } from "@veritick/client";
import { NotConfirmed } from "@veritick/ui";
import { ref, type Ref } from "vue";
import { useTexts } from "@/messages";
import { useConfirmation } from "@/stores/confirmation";
import { useNotices } from "@/stores/notices";
import { useFailureText } from "./useFailureText";

export interface Action {
  readonly busy: Readonly<Ref<boolean>>;
  /** Does something and says so, or why not; answers whether it was done. */
  readonly act: (work: () => Promise<string | undefined>) => Promise<boolean>;
}

/** Something users do about themselves: asked who they are where that is needed. */
export function useAction(): Action {
  const { confirmed } = useConfirmation();
  const { tell } = useNotices();
  const failureText = useFailureText();
  const { t } = useTexts();
  const busy = ref(false);

  async function act(work: () => Promise<string | undefined>): Promise<boolean> {
    busy.value = true;
    try {
      const done = await confirmed(work);
      if (done !== undefined) tell("good", done);
      return true;
    } catch (error) {
      if (error instanceof Failure) tell("bad", t("own.refused"), failureText(error));
      else if (!(error instanceof NotConfirmed)) throw error;
      return false;
    } finally {
      busy.value = false;
    }
  }

  return { busy, act };
}
