/** A time at the terminal without a longer pause; moments in milliseconds since the epoch. */
export interface Sitting {
  readonly since: number;
  /** When the terminal was open last. */
  readonly seen: number;
  /** How many reality checks were told. */
  readonly told: number;
}

/** Who is away for longer begins anew. */
const PAUSE_MS = 15 * 60_000;

/** The sitting that goes on at a moment, or the one that begins with it. */
export function continued(kept: Sitting | undefined, now: number): Sitting {
  const goesOn = kept !== undefined && kept.since <= now && now - kept.seen < PAUSE_MS;
  return goesOn ? { ...kept, seen: now } : { since: now, seen: now, told: 0 };
}

/** How many reality checks are due since the sitting began, every so many minutes; 0 for never. */
export function checksDue({ since }: Sitting, minutes: number, now: number): number {
  return minutes === 0 ? 0 : Math.floor((now - since) / (minutes * 60_000));
}
