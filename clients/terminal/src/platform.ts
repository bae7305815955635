import { Client, CookieSession, Http, ServerClock, Stream } from "@veritick/client";
import { inject, type App, type InjectionKey } from "vue";

/** Everything outside this page: the calls, the stream, and the server's clock. */
export interface Platform {
  readonly client: Client;
  readonly stream: Stream;
  readonly clock: ServerClock;
  /** Calls the listener when the session cannot be kept alive any more. */
  readonly onSessionEnd: (listener: () => void) => void;
}

const key: InjectionKey<Platform> = Symbol("platform");

/** Connects to the platform that served this page. */
export function connectPlatform(): Platform {
  const endings: (() => void)[] = [];
  const http = new Http();
  const session = new CookieSession(http, undefined, () => {
    for (const tell of endings) tell();
  });
  const client = new Client(http, session);
  const clock = new ServerClock();
  const stream = new Stream({ ticket: () => client.createStreamTicket() });
  stream.onServerTime((time) => {
    clock.observe(time);
  });
  return { client, stream, clock, onSessionEnd: (listener) => endings.push(listener) };
}

/** Makes the platform available to every store and component of `app`. */
export function providePlatform(app: App, platform: Platform): void {
  app.provide(key, platform);
}

export function usePlatform(): Platform {
  const platform = inject(key);
  if (platform === undefined) throw new Error("no platform was provided to this app");
  return platform;
}
