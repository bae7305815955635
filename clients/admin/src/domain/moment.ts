import { clockText } from "@veritick/ui/time";

/** Staff read one language; numbers and times are written by the browser's habits. */
export const LOCALE = "en";

const days = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium" });

/** Date and time of day, with the year: `Nov 26, 2026, 18:30:05`; a dash for never. */
export function fullMomentText(time: string | undefined): string {
  return time === undefined ? "–" : `${days.format(new Date(time))}, ${clockText(time, LOCALE)}`;
}

/** The day after a day, such as `2026-12-01` after `2026-11-30`. */
export function dayAfter(day: string): string {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + 1);
  return date.toISOString().slice(0, 10);
}
