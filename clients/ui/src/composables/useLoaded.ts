import { Failure } from "@veritick/client";
import { ref, shallowRef, watch, type Ref, type ShallowRef, type WatchSource } from "vue";

export interface Loaded<Value> {
  readonly value: ShallowRef<Value | undefined>;
  readonly failure: Readonly<Ref<Failure | undefined>>;
  readonly loading: Readonly<Ref<boolean>>;
  readonly reload: () => Promise<void>;
}

/** One thing that is read, and read again whenever `question` changes. */
export function useLoaded<Value>(
  question: readonly WatchSource[],
  read: () => Promise<Value>,
): Loaded<Value> {
  const value = shallowRef<Value>();
  const failure = shallowRef<Failure>();
  const loading = ref(false);
  let round = 0;

  async function reload(): Promise<void> {
    const asked = (round += 1);
    loading.value = true;
    try {
      const found = await read();
      if (asked === round) [value.value, failure.value] = [found, undefined];
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (asked === round) failure.value = error;
    } finally {
      if (asked === round) loading.value = false;
    }
  }

  watch([...question], () => void reload(), { immediate: true });
  return { value, failure, loading, reload };
}
