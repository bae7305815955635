import { keepConfirmation } from "@veritick/ui";
import { defineStore } from "pinia";
import { usePlatform } from "~/platform";

/** Asks again who somebody is, where what he does needs it. */
export const useConfirmation = defineStore("confirmation", () => keepConfirmation(usePlatform()));
