import type { Failure, LogInRequest, User } from "@veritick/client";
import { defineStore } from "pinia";
import { ref, shallowRef } from "vue";
import { persist } from "@/persist";
import { usePlatform } from "@/platform";
import { usePreferences } from "./preferences";

/** That this browser holds a session's cookies, which no script can see. */
const MARK = "veritick.signedIn";
/** That somebody has signed in from here before. */
const KNOWN = "veritick.known";

/** Why somebody has to sign in again. */
type SignedOut = "ended" | "passwordChanged";

/** Who is signed in. */
export const useSession = defineStore("session", () => {
  const { client, onSessionEnd } = usePlatform();
  const user = shallowRef<User>();
  const signedOut = ref<SignedOut>();
  const unreachable = ref(false);
  const known = localStorage.getItem(KNOWN) !== null;
  let resuming: Promise<void> | undefined;

  onSessionEnd(() => {
    signedOut.value = user.value && "ended";
    forget();
  });

  /** Finds the session that this browser may still have, once; waits while nobody answers. */
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

  async function signIn(credentials: LogInRequest): Promise<void> {
    await client.logIn(credentials);
    localStorage.setItem(MARK, "yes");
    localStorage.setItem(KNOWN, "yes");
    signedOut.value = undefined;
    user.value = await client.getProfile();
  }

  async function signUp(email: string, password: string): Promise<void> {
    await client.register(email, password);
    usePreferences().tourDue = true;
    await signIn({ email, password });
  }

  /** Chooses a new password by a letter; with every other session this browser's ends, too. */
  async function resetPassword(token: string, password: string): Promise<void> {
    await client.resetPassword(token, password);
    localStorage.setItem(KNOWN, "yes");
    signedOut.value = "passwordChanged";
    forget();
  }

  async function signOut(): Promise<void> {
    try {
      await client.logOut();
    } finally {
      forget();
    }
  }

  function forget(): void {
    localStorage.removeItem(MARK);
    user.value = undefined;
  }

  return { user, signedOut, unreachable, known, resume, signIn, signUp, resetPassword, signOut };
});

/** Nobody answered, which says nothing about the session. */
function isAbsence({ status }: Failure): boolean {
  return status === 0 || status >= 500;
}
