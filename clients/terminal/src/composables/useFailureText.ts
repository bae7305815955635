import type { Failure } from "@veritick/client";
import { useTexts } from "@/messages";

/** Says in words why a call failed. */
export function useFailureText(): (failure: Failure) => string {
  const { t, te } = useTexts();
  return ({ reason }) => {
    const key = `failure.${reason}`;
    return te(key) ? t(key) : t("failure.UNKNOWN", { reason });
  };
}
