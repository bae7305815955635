/** A column of a table; the slot called by its key fills its cells. */
export interface Column {
  readonly key: string;
  readonly label: string;
  /** For numbers and for what is done with a row. */
  readonly right?: boolean;
  /** From what width on there is room for it; always, when not said. */
  readonly from?: "lg" | "xl";
}
