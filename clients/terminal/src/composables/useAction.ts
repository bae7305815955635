import { useActionWith, type Action, type Manners } from "@veritick/ui";
import { useTexts } from "@/messages";
import { useConfirmation } from "@/stores/confirmation";
import { useNotices } from "@/stores/notices";
import { useFailureText } from "./useFailureText";

/** How the terminal asks, tells and words things. */
export function useManners(): Manners {
  const { t } = useTexts();
  const { confirmed } = useConfirmation();
  const { tell } = useNotices();
  return { confirmed, tell, textOf: useFailureText(), refused: () => t("own.refused") };
}

/** Something users do about themselves. */
export function useAction(): Action {
  return useActionWith(useManners());
}
