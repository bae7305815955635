import type { UserTrace } from "@veritick/client";

/** A device or an address in few words: `0199abcd (Firefox on Linux)`, `192.0.2.7 (DE)`. */
export function placeText({
  kind,
  value,
  description,
  countryCode,
}: Pick<UserTrace, "kind" | "value" | "description" | "countryCode">): string {
  const told = [description, countryCode].filter((each) => each !== "").join(", ");
  const name = kind === "DEVICE" ? deviceText(value) : value;
  return told === "" ? name : `${name} (${told})`;
}

/** Enough of the random id of a browser to tell it from others. */
export function deviceText(device: string): string {
  return device.slice(0, 8);
}
