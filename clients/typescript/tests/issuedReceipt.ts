import type { Receipt } from "../src/index.ts";

/** A receipt just as a platform issued it: an Up order that lost. */
export const issued: Receipt = {
  orderId: "demo_01a20a18-aa2b-7134-a510-2247041ad5ba",
  instrument: "BTCUSD",
  direction: "UP",
  stake: {
    currencyCode: "USD",
    minorUnits: "1000",
  },
  payoutBp: 8500,
  termsVersion: "1",
  openTime: "2026-11-23T20:28:38.315197Z",
  expireTime: "2026-11-23T20:28:44Z",
  entryTick: {
    instrument: "BTCUSD",
    number: "4077",
    price: {
      mantissa: "9821163",
      scale: 2,
    },
    time: "2026-11-23T20:28:38.157949Z",
    sourceTime: "2026-11-23T20:28:38.157411Z",
    late: false,
  },
  fixing: {
    instrument: "BTCUSD",
    time: "2026-11-23T20:28:44Z",
    state: "FINAL",
    tick: {
      instrument: "BTCUSD",
      number: "4099",
      price: {
        mantissa: "9820311",
        scale: 2,
      },
      time: "2026-11-23T20:28:43.813418Z",
      sourceTime: "2026-11-23T20:28:43.808845Z",
      late: false,
    },
    ticksBefore: [
      {
        instrument: "BTCUSD",
        number: "4097",
        price: {
          mantissa: "9820415",
          scale: 2,
        },
        time: "2026-11-23T20:28:43.230426Z",
        sourceTime: "2026-11-23T20:28:43.228298Z",
        late: false,
      },
      {
        instrument: "BTCUSD",
        number: "4098",
        price: {
          mantissa: "9820548",
          scale: 2,
        },
        time: "2026-11-23T20:28:43.309722Z",
        sourceTime: "2026-11-23T20:28:43.305389Z",
        late: false,
      },
      {
        instrument: "BTCUSD",
        number: "4099",
        price: {
          mantissa: "9820311",
          scale: 2,
        },
        time: "2026-11-23T20:28:43.813418Z",
        sourceTime: "2026-11-23T20:28:43.808845Z",
        late: false,
      },
    ],
    ticksAfter: [],
    watermark: "2026-11-23T20:28:44.168789Z",
    feedTime: "2026-11-23T20:28:43.969045Z",
    ruleVersion: 1,
  },
  outcome: "LOSS",
  returned: {
    currencyCode: "USD",
    minorUnits: "0",
  },
  closeTime: "2026-11-23T20:28:44.328005Z",
  transferIds: [
    "demo_01a20a18-aa2b-7134-a510-2247041ad5ba",
    "demo_01a20a18-c1a8-7669-995a-ffc6eb2103f6",
  ],
  ruleVersion: 1,
  sequence: "1",
  previousHash: "0000000000000000000000000000000000000000000000000000000000000000",
  hash: "3cc5d7112c91282ac0bd2603e27380bf5f24fb9f640502f8497604e07c7ed979",
};
