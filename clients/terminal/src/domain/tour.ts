/** A step of the tour: its texts are `tour.<name>`, and it points at the marked element. */
export interface TourStep {
  readonly name: "welcome" | "instruments" | "order" | "buy" | "positions";
  /** The values of `data-tour`; the first that is on the page is pointed at. */
  readonly targets: readonly string[];
}

export const TOUR: readonly TourStep[] = [
  { name: "welcome", targets: ["account"] },
  { name: "instruments", targets: ["instruments", "chart"] },
  { name: "order", targets: ["order"] },
  { name: "buy", targets: ["buy"] },
  { name: "positions", targets: ["positions"] },
];
