import type { Failure } from "@veritick/client";
import { payoutText } from "@veritick/ui/number";
import { longMomentText } from "@veritick/ui/time";
import { useTexts } from "@/messages";

/** Says in words why a call failed. */
export function useFailureText(): (failure: Failure) => string {
  const { t, te, locale } = useTexts();
  return ({ reason, metadata }) => {
    const key = `failure.${reason}`;
    const payout = payoutText(Number(metadata["payout_bp"] ?? 0), locale.value);
    const end = metadata["until"];
    const until = end === undefined ? "–" : longMomentText(end, locale.value);
    return te(key) ? t(key, { payout, until }) : t("failure.UNKNOWN", { reason });
  };
}
