"""A receipt checked from its JSON alone, as the words of `services.settlement.receipt` say.

Written without any of settlement's code, as a stranger would.
"""

import hashlib
import re
from typing import Any


def hash_of(receipt: dict[str, Any]) -> str:
    """Return the hash that a receipt should have."""
    return hashlib.sha256("".join(f"{line}\n" for line in lines_of(receipt)).encode()).hexdigest()


def lines_of(receipt: dict[str, Any]) -> list[str]:
    """Return the canonical text, by line."""
    fixing = receipt["fixing"]
    return [
        f"veritick receipt {receipt['ruleVersion']}",
        f"previous {receipt['previousHash']}",
        f"sequence {receipt['sequence']}",
        f"order {receipt['orderId']}",
        f"instrument {receipt['instrument']}",
        f"direction {receipt['direction']}",
        f"stake {receipt['stake']['minorUnits']} {receipt['stake']['currencyCode']}",
        f"payout_bp {receipt['payoutBp']}",
        f"terms_version {receipt['termsVersion']}",
        f"open_time {_time(receipt['openTime'])}",
        f"expire_time {_time(receipt['expireTime'])}",
        f"entry {_tick(receipt['entryTick'])}",
        f"outcome {receipt['outcome']}",
        f"returned {receipt['returned']['minorUnits']} {receipt['returned']['currencyCode']}",
        f"close_time {_time(receipt['closeTime'])}",
        *(f"transfer {transfer}" for transfer in receipt["transferIds"]),
        f"fixing {_point(fixing)} {fixing['state']} {fixing.get('voidReason', '-')}",
        f"fixing_rule_version {fixing['ruleVersion']}",
        f"fixing_tick {_tick(fixing.get('tick'))}",
        *(f"fixing_before {_tick(tick)}" for tick in fixing["ticksBefore"]),
        *(f"fixing_after {_tick(tick)}" for tick in fixing["ticksAfter"]),
        f"fixing_watermark {_time(fixing['watermark'])}",
        f"fixing_feed_time {_time(fixing.get('feedTime'))}",
    ]


def _point(fixing: dict[str, Any]) -> str:
    return f"{fixing['instrument']} {_time(fixing['time'])}"


def _tick(tick: dict[str, Any] | None) -> str:
    if tick is None:
        return "-"
    price = f"{tick['price']['mantissa']} {tick['price']['scale']}"
    times = f"{_time(tick['time'])} {_time(tick.get('sourceTime'))}"
    return f"{tick['instrument']} {tick['number']} {price} {times} {int(tick['late'])}"


def _time(text: str | None) -> str:
    """Return an RFC 3339 time of the JSON mapping with six digits: it prints 0, 3 or 6."""
    if text is None:
        return "-"
    match = re.fullmatch(r"([0-9T:-]+)(?:\.([0-9]{3,6}))?Z", text)
    assert match, text
    return f"{match[1]}.{(match[2] or '').ljust(6, '0')}Z"
