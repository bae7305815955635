import type { Instrument } from "@veritick/client";

type Schedule = NonNullable<Instrument["schedule"]>;

const MINUTES_PER_WEEK = 7 * 1440;
const WEEK_MS = MINUTES_PER_WEEK * 60_000;
/** A Monday; weeks are counted from it. */
const MONDAY_MS = Date.UTC(1970, 0, 5);

/**
 * When sessions begin, from one moment until another: for a chart, which shows no bars between
 * them anyway, so that holidays make no difference. Seconds since the epoch.
 */
export function sessionOpens(
  schedule: Schedule | undefined,
  from: number,
  until: number,
): readonly number[] {
  if (schedule === undefined || from > until) return [];
  const { timeZone } = schedule;
  const minutes = openMinutes(schedule);
  const week = (seconds: number): number =>
    Math.floor((venueTime(timeZone, seconds * 1000) - MONDAY_MS) / WEEK_MS);
  const opens: number[] = [];
  for (let each = week(from) - 1; each <= week(until); each += 1) {
    const monday = MONDAY_MS + each * WEEK_MS;
    for (const minute of minutes) opens.push(momentOf(timeZone, monday + minute * 60_000) / 1000);
  }
  return opens.filter((open) => open >= from && open <= until).sort((a, b) => a - b);
}

/** The minutes of the week at which a session begins; one that goes on from another does not. */
function openMinutes({ windows }: Schedule): number[] {
  const closes = new Set(windows.map(({ closeMinute }) => closeMinute % MINUTES_PER_WEEK));
  return windows.map(({ openMinute }) => openMinute).filter((minute) => !closes.has(minute));
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** What the venue's clock shows at a moment, as if that were UTC. */
function venueTime(timeZone: string, moment: number): number {
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formats.set(timeZone, format);
  }
  const part = new Map(
    format.formatToParts(moment).map(({ type, value }) => [type, Number(value)]),
  );
  const get = (type: Intl.DateTimeFormatPartTypes): number => part.get(type) ?? 0;
  return Date.UTC(
    get("year"),
    get("month") - 1,
    get("day"),
    get("hour"),
    get("minute"),
    get("second"),
  );
}

/** The moment at which the venue's clock shows a time, which is given as if it were UTC. */
function momentOf(timeZone: string, shown: number): number {
  const guess = shown - (venueTime(timeZone, shown) - shown);
  return guess - (venueTime(timeZone, guess) - shown);
}
