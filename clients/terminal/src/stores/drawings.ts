import { newRequestId } from "@veritick/client";
import { defineStore } from "pinia";
import { computed, ref, shallowRef, watch } from "vue";
import {
  DRAWINGS_MAX,
  readDrawings,
  type Anchor,
  type Drawing,
  type DrawingKind,
} from "@/domain/drawing";
import { usePreferences } from "./preferences";
import { keep, recall } from "./remembered";

/** What the user drew on the chosen instrument's chart; this browser keeps it. */
export const useDrawings = defineStore("drawings", () => {
  const preferences = usePreferences();
  const drawings = shallowRef<readonly Drawing[]>([]);
  const selectedId = ref<string>();
  /** What the next points on the chart will become. */
  const tool = ref<DrawingKind>();

  const selected = computed(() => drawings.value.find(({ id }) => id === selectedId.value));
  const full = computed(() => drawings.value.length >= DRAWINGS_MAX);

  watch(
    () => preferences.symbol,
    (symbol) => {
      drawings.value = readDrawings(recall(nameOf(symbol)));
      selectedId.value = undefined;
      tool.value = undefined;
    },
    { immediate: true },
  );

  function become(all: readonly Drawing[]): void {
    drawings.value = all;
  }

  /** Keeps what is drawn now. While something is being dragged it is not worth keeping yet. */
  function save(): void {
    keep(nameOf(preferences.symbol), drawings.value);
  }

  /** Adds a drawing, selected; what is left of the tool is put away. */
  function add(kind: DrawingKind, anchors: readonly Anchor[]): Drawing | undefined {
    tool.value = undefined;
    if (full.value) return undefined;
    const drawing = { id: newRequestId(), kind, anchors };
    become([...drawings.value, drawing]);
    selectedId.value = drawing.id;
    save();
    return drawing;
  }

  /** Shows a drawing as it is now; `save` keeps it. */
  function change(drawing: Drawing): void {
    become(drawings.value.map((each) => (each.id === drawing.id ? drawing : each)));
  }

  function remove(id: string): void {
    become(drawings.value.filter((each) => each.id !== id));
    if (selectedId.value === id) selectedId.value = undefined;
    save();
  }

  function clear(): void {
    become([]);
    selectedId.value = undefined;
    save();
  }

  return { drawings, selectedId, selected, tool, full, add, change, save, remove, clear };
});

function nameOf(symbol: string): string {
  return `drawings.${symbol}`;
}
