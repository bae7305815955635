import { Client, CookieSession, Http, UserClient, type Caller } from "@veritick/client";

/** The calls that a page makes with the cookies of its browser. */
export interface PageConnection {
  readonly client: Client;
  readonly own: UserClient;
  readonly caller: Caller;
  /** Calls the listener when the session cannot be kept alive any more. */
  readonly onSessionEnd: (listener: () => void) => void;
}

/** Connects to the platform that served this page. */
export function connectPage(): PageConnection {
  const endings: (() => void)[] = [];
  const http = new Http();
  const caller = new CookieSession(http, undefined, () => {
    for (const tell of endings) tell();
  });
  return {
    client: new Client(http, caller),
    own: new UserClient(http, caller),
    caller,
    onSessionEnd: (listener) => endings.push(listener),
  };
}
