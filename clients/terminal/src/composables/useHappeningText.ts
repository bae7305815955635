import { money } from "@veritick/client";
import type { Happening } from "@/domain/notification";
import { moneyText, payoutText } from "@veritick/ui/number";
import { profit } from "@/domain/position";
import { useTexts } from "@/messages";
import { useMarket } from "@/stores/market";

/** Says what happened: a title, and more in a line. */
export function useHappeningText(): (happening: Happening) => readonly [string, string] {
  const market = useMarket();
  const { t, locale } = useTexts();
  const nameOf = (symbol: string): string => market.find(symbol)?.displayName ?? symbol;
  const share = (bp: number): string => payoutText(bp, locale.value);

  return (happening) => {
    if (happening.kind === "closed") {
      const { outcome = "OUTCOME_UNSPECIFIED", stake, returned, instrument } = happening.order;
      const gained = money(profit(happening.order) ?? 0n, stake.currencyCode);
      const values = {
        stake: moneyText(stake, locale.value),
        profit: moneyText(gained, locale.value, true),
        returned: returned === undefined ? "" : moneyText(returned, locale.value),
      };
      const title = t(`closed.${outcome}`, { instrument: nameOf(instrument) });
      return [title, t(`closed.${outcome}Text`, values)];
    }
    if (happening.kind === "signIn") {
      const device = happening.device || t("security.unknownDevice");
      const values = { device, address: happening.address };
      return [t("notifications.signIn"), t("notifications.signInText", values)];
    }
    const instrument = nameOf(happening.symbol);
    if (happening.kind === "opened") {
      return [t("notifications.opened", { instrument }), t("notifications.openedText")];
    }
    const values = { before: share(happening.before), after: share(happening.after) };
    return [t("notifications.payout", { instrument }), t("notifications.payoutText", values)];
  };
}
