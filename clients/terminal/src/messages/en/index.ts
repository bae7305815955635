import type { Translated } from "../translated";
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

/** Every text of the terminal in English; the shape that other languages follow. */
export const en = {
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

/** What every language must say: exactly the keys of English, so that none can be missing. */
export type Messages = Translated<typeof en>;
