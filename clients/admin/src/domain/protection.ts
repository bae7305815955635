import type { LimitValue } from "@veritick/client";
import { moneyText } from "@veritick/ui/number";
import { LOCALE } from "./moment";

/** How much a limit allows: an amount, or minutes; a dash where nothing is limited. */
export function limitText(value: LimitValue | undefined): string {
  if (value?.amount !== undefined) return moneyText(value.amount, LOCALE);
  return value?.minutes === undefined ? "–" : `${value.minutes} min`;
}
