import { computed, nextTick, ref, shallowRef, watch, type ComputedRef, type Ref } from "vue";
import { TOUR, type TourStep } from "@/domain/tour";
import { usePreferences } from "@/stores/preferences";

export interface Tour {
  readonly step: ComputedRef<TourStep | undefined>;
  readonly number: Readonly<Ref<number>>;
  /** What the step points at. */
  readonly target: Readonly<Ref<HTMLElement | undefined>>;
  readonly back: () => void;
  readonly next: () => void;
  readonly end: () => void;
}

/** The way through the trade page that a new user is shown once. */
export function useTour(): Tour {
  const preferences = usePreferences();
  const number = ref(1);
  const step = computed(() => (preferences.tourDue ? TOUR[number.value - 1] : undefined));

  function end(): void {
    preferences.tourDue = false;
  }

  function next(): void {
    if (number.value === TOUR.length) end();
    else number.value += 1;
  }

  function back(): void {
    number.value = Math.max(1, number.value - 1);
  }

  const target = shallowRef<HTMLElement>();
  watch(
    step,
    async (now) => {
      await nextTick(); // the page itself may only just be there
      target.value = find(now);
    },
    { immediate: true },
  );
  watch(
    () => preferences.tourDue,
    (due) => {
      if (due) number.value = 1;
    },
  );
  return { step, number, target, back, next, end };
}

function find(step: TourStep | undefined): HTMLElement | undefined {
  const found = step?.targets.map((name) =>
    document.querySelector<HTMLElement>(`[data-tour="${name}"]`),
  );
  return found?.find((element) => element !== null) ?? undefined;
}
