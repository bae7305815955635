import {
  Client,
  Http,
  ServerClock,
  UserClient,
  type Account,
  type Fetch,
  type StreamState,
} from "@veritick/client";
import { createPinia } from "pinia";
import { vi } from "vitest";
import { createApp } from "vue";
import { i18n } from "@/messages";
import { providePlatform, type Platform } from "@/platform";
import { useAccounts } from "@/stores/accounts";
import { account } from "./examples";

/** A browser's memory. */
export function memory(): Storage {
  const kept = new Map<string, string>();
  return {
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => void kept.set(name, value),
    removeItem: (name) => void kept.delete(name),
    clear: () => {
      kept.clear();
    },
    key: () => null,
    length: 0,
  };
}

/** A problem document, as the platform refuses. */
export function refusal(reason: string, status = 409): Response {
  return Response.json({ reason, detail: "No.", metadata: {} }, { status });
}

export interface Stage {
  /** Runs setup code as a component of the terminal would. */
  readonly run: <Result>(setup: () => Result) => Result;
  /** Lets the socket be in another state. */
  readonly socket: (state: StreamState) => void;
}

/** The terminal without a page, before a platform that answers as `fetch` does. */
export function stage(fetch: Fetch, storage = memory()): Stage {
  vi.stubGlobal("localStorage", storage);
  vi.stubGlobal("window", new EventTarget());
  vi.stubGlobal("document", new EventTarget());
  const listeners: ((state: StreamState) => void)[] = [];
  const http = new Http("", fetch);
  const clock = new ServerClock();
  const platform = {
    client: new Client(http, http),
    own: new UserClient(http, http),
    clock,
    stream: {
      state: "connecting",
      subscribe: () => () => undefined,
      onState: (listener: (state: StreamState) => void) => listeners.push(listener),
    },
    onSessionEnd: () => undefined,
  } as unknown as Platform;
  const app = createApp({});
  providePlatform(app, platform);
  app.use(createPinia());
  app.use(i18n);
  return {
    run: (setup) => app.runWithContext(setup),
    socket: (state) => {
      for (const tell of listeners) tell(state);
    },
  };
}

/** Lets an account trade. */
export async function enter(scene: Stage, mine: Account = account()): Promise<void> {
  const accounts = scene.run(useAccounts);
  await accounts.load();
  accounts.choose(mine.accountId);
}
