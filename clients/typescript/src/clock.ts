/**
 * The server's clock, as well as it can be known from here.
 *
 * A message from the server shows its clock at sending, so "its time − our time at receipt" is
 * the true offset less the way it took. The largest of the recent ones took the shortest way.
 */
export class ServerClock {
  private readonly samples: { readonly at: number; readonly offset: number }[] = [];

  private readonly local: () => number;
  private readonly windowMilliseconds: number;

  constructor(
    local: () => number = () => performance.timeOrigin + performance.now(),
    windowMilliseconds = 60_000,
  ) {
    this.local = local;
    this.windowMilliseconds = windowMilliseconds;
  }

  /** Takes note of a message that left the server at `serverTime` (ms since the epoch). */
  observe(serverTime: number): void {
    const at = this.local();
    const offset = serverTime - at;
    // What is older and took longer can never be the largest again.
    while (this.samples.length > 0 && (this.samples.at(-1)?.offset ?? 0) <= offset) {
      this.samples.pop();
    }
    this.samples.push({ at, offset });
    while ((this.samples[0]?.at ?? at) < at - this.windowMilliseconds) this.samples.shift();
  }

  /** Forgets what was measured, as after a sleep, when our own clock may have jumped. */
  reset(): void {
    this.samples.length = 0;
  }

  /** Milliseconds to add to the local clock; 0 before the first observation. */
  get offset(): number {
    return this.samples[0]?.offset ?? 0;
  }

  /** The server's time now, in milliseconds since the epoch. */
  now(): number {
    return this.local() + this.offset;
  }
}
