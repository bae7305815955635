/** The theme's colours for a canvas, which cannot read style sheets by itself. */
export interface Palette {
  readonly panel: string;
  readonly line: string;
  readonly ink: string;
  readonly muted: string;
  readonly accent: string;
  readonly up: string;
  readonly upSolid: string;
  readonly down: string;
  readonly downSolid: string;
  readonly evenSolid: string;
  readonly warn: string;
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
    up: colour("up"),
    upSolid: colour("up-solid"),
    down: colour("down"),
    downSolid: colour("down-solid"),
    evenSolid: colour("even-solid"),
    warn: colour("warn"),
  };
}
