import { useActionWith, type Action, type Manners } from "@veritick/ui";
import { failureText } from "~/domain/failure";
import { texts } from "~/messages";
import { useConfirmation } from "~/stores/confirmation";
import { useNotices } from "~/stores/notices";

/** How the app for staff asks, tells and words things. */
export function useManners(): Manners {
  const { confirmed } = useConfirmation();
  const { tell } = useNotices();
  return { confirmed, tell, textOf: failureText, refused: () => texts.refused };
}

/** Something staff do. */
export function useAction(): Action {
  return useActionWith(useManners());
}
