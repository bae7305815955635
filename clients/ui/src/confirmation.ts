import { Failure, type ConfirmIdentityRequest } from "@veritick/client";
import { computed, shallowRef, type ComputedRef } from "vue";
import type { PageConnection } from "./connection";

/** Somebody gave up proving who he is. */
export class NotConfirmed extends Error {}

interface Waiting {
  readonly proceed: () => void;
  readonly giveUp: () => void;
}

export interface Confirmation {
  /** Whether something waits for a proof. */
  readonly waiting: ComputedRef<boolean>;
  /** Does `work`; once more after a proof if the platform asks for one. Throws NotConfirmed. */
  readonly confirmed: <Answer>(work: () => Promise<Answer>) => Promise<Answer>;
  /** Sends the proof, and lets what waits for it go on. Throws Failure. */
  readonly confirm: (proof: ConfirmIdentityRequest) => Promise<void>;
  readonly giveUp: () => void;
}

/**
 * Asks again who somebody is, where what he does needs a proof of the last minutes: what the
 * confirmation store of an app is made of.
 */
export function keepConfirmation({ own }: PageConnection): Confirmation {
  const asking = shallowRef<Waiting>();

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
    giveUp();
    return new Promise((resolve, reject) => {
      asking.value = {
        proceed: resolve,
        giveUp: () => {
          reject(new NotConfirmed());
        },
      };
    });
  }

  async function confirm(given: ConfirmIdentityRequest): Promise<void> {
    await own.confirmIdentity(given);
    asking.value?.proceed();
    asking.value = undefined;
  }

  function giveUp(): void {
    asking.value?.giveUp();
    asking.value = undefined;
  }

  return { waiting: computed(() => asking.value !== undefined), confirmed, confirm, giveUp };
}
