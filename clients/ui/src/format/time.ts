/** Time left as a clock shows it: `0:08`, `12:30`, `1:02:05`; never below zero. */
export function countdownText(milliseconds: number): string {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const two = (value: number): string => value.toString().padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  const tail = two(seconds % 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${tail}` : `${minutes}:${tail}`;
}

const units: readonly [string, number][] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];
const counts = new Map<string, Intl.NumberFormat>();

function countText(count: number, unit: string, locale: string): string {
  const key = `${locale} ${unit}`;
  let found = counts.get(key);
  if (found === undefined) {
    found = new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "narrow" });
    counts.set(key, found);
  }
  return found.format(count);
}

/** A duration as traders write it: `10s`, `5m`, `1h 30m`, `1d`. */
export function durationText(seconds: number, locale: string): string {
  const parts: string[] = [];
  let rest = seconds;
  for (const [name, size] of units) {
    const count = Math.floor(rest / size);
    if (count > 0) parts.push(countText(count, name, locale));
    rest -= count * size;
  }
  return parts.join(" ") || countText(0, "second", locale);
}

/** So many days, months or years in full words: `6 months`. */
export function spanText(count: number, unit: "day" | "month" | "year", locale: string): string {
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long" }).format(count);
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = locale + JSON.stringify(options);
  let found = formats.get(key);
  if (found === undefined) {
    found = new Intl.DateTimeFormat(locale, options);
    formats.set(key, found);
  }
  return found;
}

/** A day, such as `2026-11-26`, by its name: `Nov 26`; it is a day, and not a moment in a zone. */
export function dateText(day: string, locale: string): string {
  const options: Intl.DateTimeFormatOptions = { month: "short", day: "numeric", timeZone: "UTC" };
  return format(locale, options).format(new Date(`${day}T00:00:00Z`));
}

/** A day with its year, in full: `November 26, 2026`. */
export function fullDateText(day: string, locale: string): string {
  const options: Intl.DateTimeFormatOptions = { dateStyle: "long", timeZone: "UTC" };
  return format(locale, options).format(new Date(`${day}T00:00:00Z`));
}

/** The time of day in the user's zone: `18:30:05`. */
export function clockText(time: string | number, locale: string): string {
  return format(locale, { timeStyle: "medium", hourCycle: "h23" }).format(new Date(time));
}

/** The user's zone in short, as it is at a moment: `UTC`, `GMT+2`. */
export function zoneText(time: number, locale: string): string {
  const parts = format(locale, { timeZoneName: "short" }).formatToParts(new Date(time));
  return parts.find(({ type }) => type === "timeZoneName")?.value ?? "";
}

/** The time of day to the minute: `18:30`. */
export function minuteText(time: string | number, locale: string): string {
  return format(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(
    new Date(time),
  );
}

/** The time of day to the millisecond, cut and not rounded. */
export function exactClockText(time: string, locale: string): string {
  const fraction = /\.(\d{1,3})/.exec(time)?.[1] ?? "";
  return `${clockText(time, locale)}.${fraction.padEnd(3, "0")}`;
}

/** Date and time of day: `Nov 23, 18:30:05`. */
export function momentText(time: string | number, locale: string): string {
  const date = format(locale, { month: "short", day: "numeric" }).format(new Date(time));
  return `${date}, ${clockText(time, locale)}`;
}

/** Date with its year, and time of day to the minute: `Nov 23, 2026, 18:30`. */
export function longMomentText(time: string | number, locale: string): string {
  const options: Intl.DateTimeFormatOptions = { dateStyle: "medium", timeStyle: "short" };
  return format(locale, { ...options, hourCycle: "h23" }).format(new Date(time));
}

/** When something is, in words as short as the distance allows: `18:30`, `Sun 22:05`. */
export function soonText(time: string, now: number, locale: string): string {
  const options: Intl.DateTimeFormatOptions = {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    timeZoneName: "short",
  };
  const distance = Date.parse(time) - now;
  if (distance > 12 * 3_600_000) options.weekday = "short";
  if (distance > 6 * 86_400_000) Object.assign(options, { month: "short", day: "numeric" });
  return format(locale, options).format(new Date(time));
}
