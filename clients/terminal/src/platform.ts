import { ServerClock, Stream } from "@veritick/client";
import { connectPage, type PageConnection } from "@veritick/ui";
import { inject, type App, type InjectionKey } from "vue";

/** Everything outside this page: the calls, the stream, and the server's clock. */
export interface Platform extends PageConnection {
  readonly stream: Stream;
  readonly clock: ServerClock;
}

const key: InjectionKey<Platform> = Symbol("platform");

/** Connects to the platform that served this page. */
export function connectPlatform(): Platform {
  const page = connectPage();
  const clock = new ServerClock();
  const stream = new Stream({ ticket: () => page.client.createStreamTicket() });
  stream.onServerTime((time) => {
    clock.observe(time);
  });
  return { ...page, stream, clock };
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
