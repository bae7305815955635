import { Failure, type FailureReason } from "@veritick/client";
import { computed, ref, shallowRef, type ComputedRef, type Ref, type ShallowRef } from "vue";

export interface Submission {
  readonly busy: Ref<boolean>;
  readonly failure: ShallowRef<Failure | undefined>;
  readonly failureText: ComputedRef<string | undefined>;
  /** What is wrong with a field: one of these reasons, or a rule of the contract it breaks. */
  readonly errorOf: (field: string, ...reasons: FailureReason[]) => string | undefined;
  readonly submit: (send: () => Promise<void>) => Promise<void>;
}

/** Sends a form, and keeps what the platform has against it; `textOf` says it in words. */
export function useSubmission(textOf: (failure: Failure) => string): Submission {
  const busy = ref(false);
  const failure = shallowRef<Failure>();
  const failureText = computed(() => failure.value && textOf(failure.value));

  function errorOf(field: string, ...reasons: FailureReason[]): string | undefined {
    if (failure.value === undefined) return undefined;
    if (reasons.includes(failure.value.reason)) return failureText.value;
    return failure.value.violations.find((each) => each.field === field)?.description;
  }

  async function submit(send: () => Promise<void>): Promise<void> {
    busy.value = true;
    failure.value = undefined;
    try {
      await send();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      failure.value = error;
    } finally {
      busy.value = false;
    }
  }

  return { busy, failure, failureText, errorOf, submit };
}
