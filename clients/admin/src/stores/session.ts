import { keepSession } from "@veritick/ui";
import { defineStore } from "pinia";
import { computed } from "vue";
import { usePlatform } from "~/platform";

/** Who is signed in, and what the screen may offer. The server decides again on every call. */
export const useSession = defineStore("session", () => {
  const platform = usePlatform();
  const { user, signedOut, unreachable, resume, signIn, signInByPasskey, signOut } =
    keepSession(platform);
  const permissions = computed(() => new Set(user.value?.permissions));

  function can(permission: string): boolean {
    return permissions.value.has(permission);
  }

  /** Whether one of these is allowed. */
  function canAny(wanted: readonly string[]): boolean {
    return wanted.some(can);
  }

  return { user, signedOut, unreachable, resume, signIn, signInByPasskey, signOut, can, canAny };
});
