/** Paths on a 24 × 24 grid, drawn with a round 2-pixel pen. */
export const glyphs = {
  close: "M6 6l12 12M18 6L6 18",
  up: "M12 20V5M5 12l7-7 7 7",
  down: "M12 4v15M5 12l7 7 7-7",
  search: "M11 4a7 7 0 1 0 0 14a7 7 0 0 0 0-14zM20 20l-4-4",
  chevron: "M6 9l6 6 6-6",
  minus: "M6 12h12",
  plus: "M12 6v12M6 12h12",
  refill: "M4 12a8 8 0 1 0 2.6-5.9M4 4v4.5h4.5",
  leave: "M14 4h5v16h-5M10 16l-4-4 4-4M6 12h9",
  history: "M12 7v5l3.5 2M12 4a8 8 0 1 0 0 16a8 8 0 0 0 0-16z",
  chart: "M7 5v14M4.5 8h5v7h-5zM17 4v15M14.5 7h5v6h-5z",
  receipt: "M6 3h12v18l-3-2-3 2-3-2-3 2zM9.5 8h5M9.5 12h5",
  moon: "M12 4a8 8 0 1 0 8 9a6.5 6.5 0 0 1-8-9z",
  warning: "M12 4l9 16H3zM12 10v4M12 17v.01",
  check: "M5 13l4.5 4.5L19 7",
  equal: "M6 9h12M6 15h12",
  settings: "M4 7h9M17 7h3M15 5v4M4 12h3M11 12h9M9 10v4M4 17h10M18 17h2M16 15v4",
  keyboard: "M3 7h18v10H3zM7 10.5v.01M11 10.5v.01M15 10.5v.01M8 14h8",
  statement: "M6 3h12v18H6zM9.5 8h5M9.5 12h5M9.5 16h3",
  user: "M12 4a4 4 0 1 0 0 8a4 4 0 0 0 0-8zM5 20c.5-3.5 3.5-5 7-5s6.5 1.5 7 5",
} as const;

export type GlyphName = keyof typeof glyphs;
