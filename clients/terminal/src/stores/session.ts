import type { LogInRequest } from "@veritick/client";
import { keepSession } from "@veritick/ui";
import { defineStore } from "pinia";
import { i18n, type Language } from "@/messages";
import { usePlatform } from "@/platform";
import { useInvitation } from "./invitation";
import { usePreferences } from "./preferences";

/** That somebody has signed in from here before. */
const KNOWN = "veritick.known";

/** Who is signed in. */
export const useSession = defineStore("session", () => {
  const platform = usePlatform();
  const { client, own } = platform;
  const { user, signedOut, unreachable, resume, signOut, ...kept } = keepSession(platform);
  const known = localStorage.getItem(KNOWN) !== null;

  async function signIn(credentials: LogInRequest): Promise<void> {
    await kept.signIn(credentials);
    localStorage.setItem(KNOWN, "yes");
  }

  /** Signs in by a passkey; answers whether its user went through with it. */
  async function signInByPasskey(): Promise<boolean> {
    const done = await kept.signInByPasskey();
    if (done) localStorage.setItem(KNOWN, "yes");
    return done;
  }

  /** Registers, and signs in; `referralCode` is empty for who was referred by nobody. */
  async function signUp(email: string, password: string, referralCode: string): Promise<void> {
    const languageCode = i18n.global.locale.value;
    await client.register({ email, password, languageCode, referralCode });
    useInvitation().forget();
    usePreferences().tourDue = true;
    await signIn({ email, password });
  }

  /** Lets letters come in this language from now on, to who is signed in. */
  async function writeIn(languageCode: Language): Promise<void> {
    if (user.value) user.value = await own.updateProfile({ languageCode });
  }

  /** Chooses a new password by a letter; with every other session this browser's ends, too. */
  async function resetPassword(token: string, password: string): Promise<void> {
    await client.resetPassword(token, password);
    localStorage.setItem(KNOWN, "yes");
    signedOut.value = "passwordChanged";
    kept.forget();
  }

  return {
    user,
    signedOut,
    unreachable,
    known,
    resume,
    signIn,
    signInByPasskey,
    signUp,
    writeIn,
    resetPassword,
    signOut,
  };
});
