import type { Fixing, Money, Receipt, Tick } from "./types.ts";

/**
 * The canonical text of a receipt, over which its hash is made (rule version 1).
 *
 * Every field is in it save the hash itself, so that nothing can be altered unseen.
 */
export function receiptText(receipt: Receipt): string {
  const lines = [
    `veritick receipt ${receipt.ruleVersion}`,
    `previous ${receipt.previousHash}`,
    `sequence ${receipt.sequence}`,
    `order ${receipt.orderId}`,
    `instrument ${receipt.instrument}`,
    `direction ${receipt.direction}`,
    `stake ${amount(receipt.stake)}`,
    `payout_bp ${receipt.payoutBp}`,
    `terms_version ${receipt.termsVersion}`,
    `open_time ${moment(receipt.openTime)}`,
    `expire_time ${moment(receipt.expireTime)}`,
    `entry ${tickLine(receipt.entryTick)}`,
    `outcome ${receipt.outcome}`,
    `returned ${amount(receipt.returned)}`,
    `close_time ${moment(receipt.closeTime)}`,
    ...receipt.transferIds.map((id) => `transfer ${id}`),
    ...fixingLines(receipt.fixing),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

/** SHA-256 of a text in lower-case hexadecimal. Browsers offer it to secure pages only. */
export async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fixingLines(fixing: Fixing): string[] {
  const { instrument, time, state, voidReason, tick, ticksBefore, ticksAfter } = fixing;
  return [
    `fixing ${instrument} ${moment(time)} ${state} ${voidReason ?? "-"}`,
    `fixing_rule_version ${fixing.ruleVersion}`,
    `fixing_tick ${tickLine(tick)}`,
    ...ticksBefore.map((each) => `fixing_before ${tickLine(each)}`),
    ...ticksAfter.map((each) => `fixing_after ${tickLine(each)}`),
    `fixing_watermark ${moment(fixing.watermark)}`,
    `fixing_feed_time ${moment(fixing.feedTime)}`,
  ];
}

function tickLine(tick: Tick | undefined): string {
  if (tick === undefined) return "-";
  const { instrument, number, price, time, sourceTime, late } = tick;
  const times = `${moment(time)} ${moment(sourceTime)}`;
  return `${instrument} ${number} ${price.mantissa} ${price.scale} ${times} ${late ? 1 : 0}`;
}

function amount({ minorUnits, currencyCode }: Money): string {
  return `${minorUnits} ${currencyCode}`;
}

/** A time with exactly six digits of the second: JSON prints none, three or six. */
function moment(time: string | undefined): string {
  if (time === undefined) return "-";
  const [, whole = "", fraction = ""] = /^([^.Z]*)(?:\.(\d*))?Z$/.exec(time) ?? [];
  return `${whole}.${fraction.padEnd(6, "0")}Z`;
}

/** Whether one time is after another, to the microsecond. */
export function isAfter(left: string, right: string): boolean {
  return moment(left) > moment(right);
}
