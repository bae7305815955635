import { onScopeDispose, ref, type Ref } from "vue";

/** Whether the page's surroundings are so, now and whenever they change. */
export function useMediaQuery(query: string): Readonly<Ref<boolean>> {
  const list = window.matchMedia(query);
  const matches = ref(list.matches);
  const take = (event: MediaQueryListEvent): void => {
    matches.value = event.matches;
  };
  list.addEventListener("change", take);
  onScopeDispose(() => {
    list.removeEventListener("change", take);
  });
  return matches;
}
