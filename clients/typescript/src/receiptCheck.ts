import { mantissa, minorUnits, profitOnWin } from "./decimal.ts";
import { isAfter, receiptText, sha256 } from "./receiptText.ts";
import type { Outcome, Receipt, Tick } from "./types.ts";

/** What a receipt claims, each checked from the receipt alone. */
export interface ReceiptCheck {
  /** The deciding tick is the last trustworthy one at or before expiry. */
  readonly price: boolean;
  /** The outcome follows from direction, entry price and deciding price. */
  readonly outcome: boolean;
  /** What came back follows from outcome, stake and payout. */
  readonly amounts: boolean;
  /** The hash covers exactly this receipt. */
  readonly hash: boolean;
}

/** Decides a closed order again and compares with what its receipt says. */
export async function checkReceipt(receipt: Receipt): Promise<ReceiptCheck> {
  const outcome = decidedOutcome(receipt);
  return {
    price: holdsPrice(receipt),
    outcome: outcome === receipt.outcome,
    amounts: holdsAmounts(receipt, outcome),
    hash: (await sha256(receiptText(receipt))) === receipt.hash,
  };
}

/** How the order closes by the rules: above, below or at its entry price, or without a price. */
export function decidedOutcome({ direction, entryTick, fixing }: Receipt): Outcome {
  if (fixing.state !== "FINAL" || fixing.tick === undefined) return "VOID";
  const [close, entry] = [mantissa(fixing.tick.price), mantissa(entryTick.price)];
  if (close === entry) return "DRAW";
  return close > entry === (direction === "UP") ? "WIN" : "LOSS";
}

/** What comes back, in minor units: a win stake and profit, a loss nothing, the rest the stake. */
export function decidedReturn({ stake, payoutBp }: Receipt, outcome: Outcome): bigint {
  const paid = minorUnits(stake);
  if (outcome === "LOSS") return 0n;
  return outcome === "WIN" ? paid + profitOnWin(paid, payoutBp) : paid;
}

function holdsAmounts(receipt: Receipt, outcome: Outcome): boolean {
  const { stake, returned } = receipt;
  return (
    returned.currencyCode === stake.currencyCode &&
    minorUnits(returned) === decidedReturn(receipt, outcome)
  );
}

/** A void receipt names its reason; any other one shows its tick between those on its sides. */
function holdsPrice({ instrument, expireTime, entryTick, fixing }: Receipt): boolean {
  const { tick, ticksBefore, ticksAfter } = fixing;
  const sameMoment = !isAfter(fixing.time, expireTime) && !isAfter(expireTime, fixing.time);
  const inOrder =
    ticksBefore.every(({ time }) => !isAfter(time, expireTime)) &&
    ticksAfter.every(({ time }) => isAfter(time, expireTime)) &&
    areNumbered([...ticksBefore, ...ticksAfter]);
  const sameInstrument = [entryTick, fixing, ...(tick ? [tick] : [])].every(
    (each) => each.instrument === instrument,
  );
  if (!sameMoment || !inOrder || !sameInstrument) return false;
  if (fixing.state === "VOID") return tick === undefined && fixing.voidReason !== undefined;
  const decisive = ticksBefore.filter(({ late }) => !late).at(-1);
  if (decisive !== undefined) return isSameTick(tick, decisive);
  // Only late ones are shown, which decide nothing: the tick is from before them.
  return tick !== undefined && !tick.late && areNumbered([tick, ...ticksBefore]);
}

function areNumbered(ticks: readonly Tick[]): boolean {
  return ticks.every(({ number }, index) => {
    const before = ticks[index - 1];
    return before === undefined || BigInt(before.number) < BigInt(number);
  });
}

function isSameTick(left: Tick | undefined, right: Tick | undefined): boolean {
  if (left === undefined || right === undefined) return false;
  return (
    left.number === right.number &&
    left.price.scale === right.price.scale &&
    mantissa(left.price) === mantissa(right.price)
  );
}
