import { StaffClient } from "@veritick/client";
import { connectPage, type PageConnection } from "@veritick/ui";
import { inject, type App, type InjectionKey } from "vue";

/** Everything outside this page: the calls of everybody, and those of staff. */
export interface StaffPlatform extends PageConnection {
  readonly staff: StaffClient;
}

const key: InjectionKey<StaffPlatform> = Symbol("platform");

/** Connects to the platform that served this page. */
export function connectStaff(): StaffPlatform {
  const page = connectPage();
  return { ...page, staff: new StaffClient(page.caller) };
}

/** Makes the platform available to every store and component of `app`. */
export function provideStaff(app: App, platform: StaffPlatform): void {
  app.provide(key, platform);
}

export function usePlatform(): StaffPlatform {
  const platform = inject(key);
  if (platform === undefined) throw new Error("no platform was provided to this app");
  return platform;
}
