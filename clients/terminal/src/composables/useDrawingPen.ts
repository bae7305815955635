import { onScopeDispose, watch, type Ref, type ShallowRef } from "vue";
import { DrawingPen } from "@/chart/drawingPen";
import type { PriceChart } from "@/chart/priceChart";
import { anchorCount } from "@/domain/drawing";
import { useDrawings } from "@/stores/drawings";

/** Where a drawing is put that is asked for without a pointer: shares of the pane. */
const MIDDLE = [
  [0.35, 0.6],
  [0.6, 0.4],
] as const;
/** Of the pane, for one press of an arrow. */
const STEP = 0.01;

export interface DrawingHands {
  /** Puts what the chosen tool draws into the middle of what is seen. */
  putInMiddle(): void;
  /** By how much an arrow moves a drawing. */
  step(): { readonly seconds: number; readonly price: number };
}

/** Lets the user draw on a chart, and shows there what was drawn. */
export function useDrawingPen(
  container: Readonly<Ref<HTMLElement | null>>,
  chart: Readonly<ShallowRef<PriceChart | undefined>>,
): DrawingHands {
  const drawings = useDrawings();

  watch(chart, (paper) => {
    if (paper === undefined || container.value === null) return;
    new DrawingPen(container.value, paper, {
      tool: () => drawings.tool,
      add: (kind, anchors) => drawings.add(kind, anchors),
      change: (drawing) => {
        drawings.change(drawing);
      },
      save: () => {
        drawings.save();
      },
      select: (drawing) => (drawings.selectedId = drawing?.id),
    });
  });
  watch(
    [() => drawings.drawings, () => drawings.selectedId, chart],
    () => chart.value?.showDrawings(drawings.drawings, drawings.selectedId),
    { flush: "sync" },
  );

  function escape({ key }: KeyboardEvent): void {
    if (key === "Escape") drawings.tool = undefined;
  }
  window.addEventListener("keydown", escape);
  onScopeDispose(() => {
    window.removeEventListener("keydown", escape);
  });

  function putInMiddle(): void {
    const { tool } = drawings;
    if (tool === undefined) return;
    const anchors = MIDDLE.slice(0, anchorCount(tool)).map(([across, down]) =>
      chart.value?.anchorAtShare(across, down),
    );
    if (anchors.every((anchor) => anchor !== undefined)) drawings.add(tool, anchors);
  }

  function step(): { seconds: number; price: number } {
    const [here, there] = [0.5, 0.5 + STEP].map((share) =>
      chart.value?.anchorAtShare(share, 1 - share),
    );
    if (here === undefined || there === undefined) return { seconds: 0, price: 0 };
    return { seconds: there.time - here.time, price: there.price - here.price };
  }

  return { putInMiddle, step };
}
