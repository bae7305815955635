import { Failure } from "@veritick/client";
import { NotConfirmed } from "@veritick/ui";
import { ref, type Ref } from "vue";
import { failureText } from "~/domain/failure";
import { texts } from "~/messages";
import { useConfirmation } from "~/stores/confirmation";
import { useNotices } from "~/stores/notices";

export interface Action {
  readonly busy: Readonly<Ref<boolean>>;
  /** Does something and says so, or why not; answers whether it was done. */
  readonly act: (work: () => Promise<string>) => Promise<boolean>;
}

/** Something staff do: asked who they are where that is needed, and told what came of it. */
export function useAction(): Action {
  const { confirmed } = useConfirmation();
  const { tell } = useNotices();
  const busy = ref(false);

  async function act(work: () => Promise<string>): Promise<boolean> {
    busy.value = true;
    try {
      tell("good", await confirmed(work));
      return true;
    } catch (error) {
      if (error instanceof Failure) tell("bad", texts.refused, failureText(error));
      else if (!(error instanceof NotConfirmed)) throw error;
      return false;
    } finally {
      busy.value = false;
    }
  }

  return { busy, act };
}
