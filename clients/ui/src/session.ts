import type { Failure, LogInRequest, User } from "@veritick/client";
import { nextTick, ref, shallowRef, type Ref, type ShallowRef } from "vue";
import type { PageConnection } from "./connection";
import { askPasskey } from "./passkey";
import { persist } from "./persist";

/** That this browser holds a session's cookies, which no script can see. */
const MARK = "veritick.signedIn";

/** Why somebody has to sign in again. */
export type SignedOut = "ended" | "passwordChanged";

export interface KeptSession {
  readonly user: ShallowRef<User | undefined>;
  readonly signedOut: Ref<SignedOut | undefined>;
  /** Whether nobody answers who is signed in. */
  readonly unreachable: Ref<boolean>;
  /** Finds the session that this browser may still have, once; waits while nobody answers. */
  readonly resume: () => Promise<void>;
  readonly signIn: (credentials: LogInRequest) => Promise<void>;
  /** Signs in by a passkey; answers whether its user went through with it. */
  readonly signInByPasskey: () => Promise<boolean>;
  readonly signOut: () => Promise<void>;
  /** Takes note that there is no session any more. */
  readonly forget: () => void;
}

/** Who is signed in at this browser: what the session store of an app is made of. */
export function keepSession(connection: PageConnection): KeptSession {
  const { client, own, logOut, onSessionEnd } = connection;
  const user = shallowRef<User>();
  const signedOut = ref<SignedOut>();
  const unreachable = ref(false);
  let resuming: Promise<void> | undefined;
  let leaving = Promise.resolve();

  onSessionEnd(() => {
    // Every call that was under way is refused; the first of them tells why.
    if (user.value !== undefined) signedOut.value = "ended";
    forget();
  });

  function resume(): Promise<void> {
    resuming ??= localStorage.getItem(MARK) === null ? Promise.resolve() : recognise();
    return resuming;
  }

  function recognise(): Promise<void> {
    return new Promise((resolve) => {
      const giveUp = persist(
        async () => {
          user.value = await client.getProfile();
        },
        (failure) => {
          unreachable.value = failure !== undefined && isAbsence(failure);
          if (unreachable.value) return;
          giveUp();
          resolve();
        },
      );
    });
  }

  function signIn(credentials: LogInRequest): Promise<void> {
    return enter(() => client.logIn(credentials));
  }

  async function signInByPasskey(): Promise<boolean> {
    const { challenge, options } = await own.beginPasskeyLogIn();
    const credential = await askPasskey(options);
    if (credential === undefined) return false;
    await enter(() => own.finishPasskeyLogIn({ challenge, credential }));
    return true;
  }

  /** Takes note of a session that `open` opens; the end of the last one would take its cookies. */
  async function enter(open: () => Promise<void>): Promise<void> {
    await leaving;
    await open();
    localStorage.setItem(MARK, "yes");
    signedOut.value = undefined;
    user.value = await client.getProfile();
  }

  /** The pages go first: what they ask of a session that has ended is refused. */
  async function signOut(): Promise<void> {
    forget();
    const left = nextTick().then(logOut);
    leaving = left.catch(() => undefined);
    await left;
  }

  function forget(): void {
    localStorage.removeItem(MARK);
    user.value = undefined;
  }

  return { user, signedOut, unreachable, resume, signIn, signInByPasskey, signOut, forget };
}

/** Nobody answered, which says nothing about the session. */
function isAbsence({ status }: Failure): boolean {
  return status === 0 || status >= 500;
}
