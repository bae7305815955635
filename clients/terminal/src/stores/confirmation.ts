import { keepConfirmation } from "@veritick/ui";
import { defineStore } from "pinia";
import { usePlatform } from "@/platform";

/** Asks again who the user is, where that is needed. */
export const useConfirmation = defineStore("confirmation", () => keepConfirmation(usePlatform()));
