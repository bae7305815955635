import { clockText } from "@veritick/ui/time";

/** Staff read one language; numbers and times are written by the browser's habits. */
export const LOCALE = "en";

const days = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium" });

/** Date and time of day, with the year: `Nov 26, 2026, 18:30:05`; a dash for never. */
export function fullMomentText(time: string | undefined): string {
  return time === undefined ? "–" : `${days.format(new Date(time))}, ${clockText(time, LOCALE)}`;
}
