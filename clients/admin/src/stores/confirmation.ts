import { Failure } from "@veritick/client";
import { defineStore } from "pinia";
import { shallowRef } from "vue";
import { usePlatform } from "~/platform";

/** Somebody gave up proving who he is. */
export class NotConfirmed extends Error {}

interface Waiting {
  readonly proceed: () => void;
  readonly giveUp: () => void;
}

/** Asks again who somebody is, where what he does needs a proof of the last minutes. */
export const useConfirmation = defineStore("confirmation", () => {
  const { client } = usePlatform();
  const waiting = shallowRef<Waiting>();

  /** Does `work`; once more after a proof if the platform asks for one. Throws NotConfirmed. */
  async function confirmed<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Failure) || error.reason !== "CONFIRMATION_REQUIRED") throw error;
      await proof();
      return await work();
    }
  }

  function proof(): Promise<void> {
    waiting.value?.giveUp();
    return new Promise((resolve, reject) => {
      waiting.value = {
        proceed: resolve,
        giveUp: () => {
          reject(new NotConfirmed());
        },
      };
    });
  }

  /** Sends the proof, and lets what waited for it go on. */
  async function confirm(given: { password?: string; code?: string }): Promise<void> {
    await client.confirmIdentity(given);
    waiting.value?.proceed();
    waiting.value = undefined;
  }

  function giveUp(): void {
    waiting.value?.giveUp();
    waiting.value = undefined;
  }

  return { waiting, confirmed, confirm, giveUp };
});
