/** From the beginning of one day to the end of another; an empty text is without end. */
export interface Period {
  readonly from: string;
  readonly to: string;
}

/** A day of the user's zone as fields write it: `2026-11-26`. */
export function dayText(time: number | Date): string {
  const date = new Date(time);
  const two = (value: number): string => value.toString().padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** A day in UTC, by which the platform sums up. */
export function utcDayText(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

/** The day so many days after another: (`2026-11-30`, 1) → `2026-12-01`. */
export function dayAfter(day: string, days: number): string {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + days);
  return date.toISOString().slice(0, 10);
}

/** All days of a period, both ends included. */
export function daysOf({ from, to }: Period): string[] {
  const days: string[] = [];
  for (let day = from; day <= to; day = dayAfter(day, 1)) days.push(day);
  return days;
}

/** The moments between which a period of the user's zone lies, as calls take them. */
export function momentsOf({ from, to }: Period): { start?: string; end?: string } {
  const midnight = (day: string): string => new Date(`${day}T00:00:00`).toISOString();
  return {
    ...(from !== "" && { start: midnight(from) }),
    ...(to !== "" && { end: midnight(dayAfter(to, 1)) }),
  };
}
