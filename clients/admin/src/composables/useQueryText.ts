import { computed, type WritableComputedRef } from "vue";
import { useRoute, useRouter } from "vue-router";

/** A filter that is part of the address, so that a view can be handed on as a link. */
export function useQueryText<Text extends string = string>(
  name: string,
  whenAbsent: NoInfer<Text>,
): WritableComputedRef<Text> {
  const route = useRoute();
  const router = useRouter();
  return computed({
    get: () => {
      const given = route.query[name];
      return typeof given === "string" ? (given as Text) : whenAbsent;
    },
    set: (text) => {
      const query = { ...route.query, [name]: text === whenAbsent ? undefined : text };
      void router.replace({ query });
    },
  });
}
