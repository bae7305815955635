import { STUDY_COLOURS } from "@/domain/study";

/** The theme's colours for a canvas, which cannot read style sheets by itself. */
export interface Palette {
  readonly panel: string;
  readonly line: string;
  readonly ink: string;
  readonly muted: string;
  readonly accent: string;
  readonly onAccent: string;
  readonly up: string;
  readonly upSolid: string;
  readonly down: string;
  readonly downSolid: string;
  readonly evenSolid: string;
  /** For curves, as many as studies know. */
  readonly curves: readonly string[];
}

export function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    panel: colour("panel"),
    line: colour("line"),
    ink: colour("ink"),
    muted: colour("muted"),
    accent: colour("accent"),
    onAccent: colour("on-accent"),
    up: colour("up"),
    upSolid: colour("up-solid"),
    down: colour("down"),
    downSolid: colour("down-solid"),
    evenSolid: colour("even-solid"),
    curves: Array.from({ length: STUDY_COLOURS }, (_, index) => colour(`curve-${index}`)),
  };
}
