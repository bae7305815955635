import { defineStore } from "pinia";
import { remembered } from "./remembered";

/** As long as the contract lets a code be, however it is written. */
const CODE_LENGTH_MAX = 40;

/** By whose link this browser came here: kept until somebody signs up. */
export const useInvitation = defineStore("invitation", () => {
  const code = remembered("invitation", "", codeIn);

  /** Notes the code of a link, `?ref=…`; another link takes its place. */
  function take(ref: unknown): void {
    const found = codeIn(ref);
    if (found !== "") code.value = found;
  }

  function forget(): void {
    code.value = "";
  }

  return { code, take, forget };
});

function codeIn(written: unknown): string {
  return typeof written === "string" ? written.trim().slice(0, CODE_LENGTH_MAX) : "";
}
