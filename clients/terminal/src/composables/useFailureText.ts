import type { Failure } from "@veritick/client";
import { payoutText } from "@veritick/ui/number";
import { useTexts } from "@/messages";

/** Says in words why a call failed. */
export function useFailureText(): (failure: Failure) => string {
  const { t, te, locale } = useTexts();
  return ({ reason, metadata }) => {
    const key = `failure.${reason}`;
    const payout = payoutText(Number(metadata["payout_bp"] ?? 0), locale.value);
    return te(key) ? t(key, { payout }) : t("failure.UNKNOWN", { reason });
  };
}
