import { Client, CookieSession, Http, UserClient, type Caller } from "@veritick/client";

/** The calls that a page makes with the cookies of its browser. */
export interface PageConnection {
  readonly client: Client;
  readonly own: UserClient;
  readonly caller: Caller;
  /** Ends the session. Nothing is asked in its name any more, for it would be refused. */
  readonly logOut: () => Promise<void>;
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
  const client = new Client(http, caller);
  return {
    client,
    logOut: () => {
      caller.stopReading();
      return client.logOut();
    },
    own: new UserClient(http, caller),
    caller,
    onSessionEnd: (listener) => endings.push(listener),
  };
}
