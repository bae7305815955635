/** What the keyboard can do while nothing is being typed. */
export const SHORTCUTS = [
  { command: "buyUp", keys: ["U"] },
  { command: "buyDown", keys: ["D"] },
  { command: "stakeMore", keys: ["+"] },
  { command: "stakeLess", keys: ["−"] },
  { command: "durationMore", keys: ["]"] },
  { command: "durationLess", keys: ["["] },
  { command: "search", keys: ["/"] },
  { command: "help", keys: ["?"] },
] as const;

export type Command = (typeof SHORTCUTS)[number]["command"];

/** What of a key press matters here. */
export interface KeyPress {
  /** The place of the key on a keyboard, the same in every language. */
  readonly code: string;
  /** What it writes. */
  readonly key: string;
  readonly repeat: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
}

/** Signs go by what is written, wherever a layout has them. */
const BY_KEY: Readonly<Record<string, Command>> = {
  "+": "stakeMore",
  "=": "stakeMore",
  "-": "stakeLess",
  "]": "durationMore",
  "[": "durationLess",
  "/": "search",
  "?": "help",
};

/** Letters and brackets go by place, so that they work in a Russian layout as well. */
const BY_CODE: Readonly<Record<string, Command>> = {
  KeyU: "buyUp",
  KeyD: "buyDown",
  BracketRight: "durationMore",
  BracketLeft: "durationLess",
};

/** The command of a key press; a key held down buys nothing more. */
export function commandOf(press: KeyPress): Command | undefined {
  if (press.ctrlKey || press.metaKey || press.altKey) return undefined;
  const command = BY_KEY[press.key] ?? BY_CODE[press.code];
  const buys = command === "buyUp" || command === "buyDown";
  return buys && press.repeat ? undefined : command;
}
