import { keepConfirmation } from "@veritick/ui";
import { defineStore } from "pinia";
import { usePlatform } from "~/platform";

export { NotConfirmed } from "@veritick/ui";

/** Asks again who somebody is, where what he does needs a proof of the last minutes. */
export const useConfirmation = defineStore("confirmation", () => keepConfirmation(usePlatform()));
