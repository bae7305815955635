import type { Messages } from "../en";
import { account } from "./account";
import { chart } from "./chart";
import { guide } from "./guide";
import { kyc } from "./kyc";
import { letters } from "./letters";
import { notifications } from "./notifications";
import { failure } from "./failure";
import { order } from "./order";
import { own } from "./own";
import { positions } from "./positions";
import { personalData } from "./personalData";
import { protection } from "./protection";
import { receipt } from "./receipt";
import { security } from "./security";
import { shell } from "./shell";
import { sign } from "./sign";

/** Every text of the terminal in Spanish. */
export const es: Messages = {
  ...shell,
  ...sign,
  ...letters,
  ...account,
  ...chart,
  ...order,
  ...positions,
  ...receipt,
  ...failure,
  ...notifications,
  ...guide,
  ...own,
  ...kyc,
  ...protection,
  ...personalData,
  ...security,
};
