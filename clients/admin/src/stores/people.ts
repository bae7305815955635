import { Failure } from "@veritick/client";
import { defineStore } from "pinia";
import { ref } from "vue";
import { usePlatform } from "~/platform";
import { useSession } from "./session";

/** Who is behind an id, asked once for each; kept for as long as the page is open. */
export const usePeople = defineStore("people", () => {
  const { staff } = usePlatform();
  const session = useSession();
  const emails = ref<Readonly<Record<string, string>>>({});
  const asked = new Set<string>();

  /** The mail address of a user; the id while it is not known, or for who may not know it. */
  function nameOf(userId: string): string {
    if (userId === session.user?.userId) return session.user.email;
    if (!asked.has(userId) && session.can("users.read")) {
      asked.add(userId);
      void ask(userId);
    }
    return emails.value[userId] ?? userId;
  }

  async function ask(userId: string): Promise<void> {
    try {
      const { email } = await staff.getUser(userId);
      emails.value = { ...emails.value, [userId]: email };
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
    }
  }

  return { nameOf };
});
