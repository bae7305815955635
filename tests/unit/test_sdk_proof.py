"""`veritick verify`: an export is decided again from itself, and no lie in it goes unnoticed."""

import tracemalloc
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from services.settlement.fixing import VoidReason
from services.settlement.outcome import Direction, Outcome
from tests.proof import (
    CASES,
    ENTRY,
    KEY_ID,
    NOON,
    Case,
    Item,
    Lines,
    altered,
    at,
    changed,
    exported,
    file_of,
    fixing_of,
    items_of,
    leaves,
    tick,
    unreadable,
    untrue,
)
from tests.settlement_receipt import hash_of
from veritick.proof.canonical import GENESIS
from veritick.proof.verify import Untrue, verify


def test_an_honest_export_is_right() -> None:
    seen = verify(file_of(exported()), KEY_ID)
    assert (seen.book, seen.first, seen.last, seen.receipts) == ("demo", 1, 5, 5)
    assert seen.outcomes == {"WIN": 2, "LOSS": 1, "DRAW": 1, "VOID": 1}
    win = 1_001 + 850
    assert (seen.staked, seen.returned) == ({"USD": 5_005}, {"USD": 2 * win + 2 * 1_001})
    assert (seen.key_id, seen.sign_time) == (KEY_ID, "2026-11-23T12:01:00.000000Z")


def test_an_export_may_begin_anywhere() -> None:
    seen = verify(file_of(exported(first=3)))
    assert (seen.first, seen.last, seen.receipts) == (3, 5, 3)


# ---- every field of every receipt ---------------------------------------------------------------


HONEST = exported()
TRANSFERS = HONEST[2]["receipt"]["transferIds"]
OTHER_RULES = {("receipt", "ruleVersion"), ("receipt", "fixing", "ruleVersion")}
FIELDS = [(n, path) for n in (2, 6) for path in leaves(HONEST[n - 1]) if path not in OTHER_RULES]


@pytest.mark.parametrize(("line", "path"), FIELDS, ids=str)
def test_a_receipt_with_one_field_changed_is_named(line: int, path: tuple[Any, ...]) -> None:
    void = (line, path[-1]) == (6, "outcome")
    found = untrue(altered(HONEST, line, path, (lambda _: "DRAW") if void else changed))
    assert found.line == line
    assert str(found.order_id).startswith("demo_")
    assert found.difference.expected != found.difference.found


@pytest.mark.parametrize(
    ("line", "path"),
    # What is 0 or false says so by being missing as well.
    [(line, path) for line, path in FIELDS if at(HONEST, line, path) not in {"0", 0}],
    ids=str,
)
def test_a_receipt_with_one_field_missing_is_named(line: int, path: tuple[Any, ...]) -> None:
    forged = deepcopy(HONEST)
    del at(forged, line, path[:-1])[path[-1]]
    assert untrue(forged).line == line


@pytest.mark.parametrize("path", sorted(OTHER_RULES), ids=".".join)
def test_other_rules_are_not_guessed_at(path: tuple[Any, ...]) -> None:
    found = unreadable(altered(HONEST, 3, path, changed))
    assert found.line == 3
    assert "rules" in found.why


@pytest.mark.parametrize(
    ("path", "value", "what", "expected", "stated"),
    [
        ("outcome", "WIN", "outcome", "LOSS", "WIN"),
        ("outcome", 9, "outcome", "LOSS", "9"),
        ("direction", "DOWN", "outcome", "WIN", "LOSS"),
        ("returned.minorUnits", "1", "returned.minorUnits", "0", "1"),
        ("stake.minorUnits", "-5", "stake.minorUnits", "more than 0", "-5"),
        ("sequence", "9", "sequence", "2", "9"),
        ("previousHash", GENESIS, "previousHash", HONEST[1]["receipt"]["hash"], GENESIS),
        ("fixing.instrument", "GBPUSD", "fixing.instrument", "EURUSD", "GBPUSD"),
        ("orderId", "real_1", "orderId", "an id of the book demo", "real_1"),
        (
            "transferIds",
            [*TRANSFERS, TRANSFERS[0]],
            "transferIds",
            "two transfers, the stake's and the close's",
            "3, 2 of them different",
        ),
    ],
)
def test_what_is_wrong_is_said_in_terms_of_the_rules(
    path: str, value: Any, what: str, expected: str, stated: str
) -> None:
    keys = ("receipt", *path.split("."))
    found = untrue(altered(HONEST, 3, keys, lambda _: value))
    assert (found.line, found.difference) == (3, (what, expected, stated))


def memory_for(count: int) -> int:
    """Return how many bytes at most a verification of so many receipts has taken at a time.

    Whatever else happens in this process meanwhile adds to that, so the least of some is the truth.
    """
    content = exported(items_of([CASES[n % len(CASES)] for n in range(count)]))
    return min(_memory_once(content, count) for _ in range(3))


def _memory_once(content: Lines, count: int) -> int:
    file = file_of(content)
    tracemalloc.start()
    try:
        assert verify(file).receipts == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_longer_file_needs_no_more_memory() -> None:
    memory_for(5)
    few, many = memory_for(30), memory_for(150)
    assert many - few < 120 * 200  # what is remembered of a receipt would be more


# ---- a platform that lies, and hashes and signs its lies ----------------------------------------


def lying(change: Callable[[Item], Item], number: int = 1) -> Untrue:
    """Return what is found when a platform issues a receipt like this, with the right hash."""
    items = items_of()
    items[number - 1] = change(items[number - 1])
    return untrue(exported(items))


def order(**changes: Any) -> Callable[[Item], Item]:
    return lambda item: (item[0]._replace(**changes), item[1], item[2])


def fixing(**changes: Any) -> Callable[[Item], Item]:
    return lambda item: (item[0], item[1]._replace(**changes), item[2])


WON, LOST, VOID = 1, 2, 5
SECOND = timedelta(seconds=1)
EARLIER = tick(51, ENTRY + 1, NOON - timedelta(milliseconds=700))
FAR = fixing_of(ENTRY + 1, NOON + timedelta(hours=1))
ANCIENT = tick(12, ENTRY + 1, NOON - timedelta(seconds=600, microseconds=1))
LATE = tuple(tick(n, ENTRY, NOON - SECOND / n, late=True) for n in (51, 52, 53))


@pytest.mark.parametrize(
    ("number", "change", "what"),
    [
        (LOST, order(outcome=Outcome.WIN, returned=1_851), "outcome"),
        (WON, order(outcome=Outcome.VOID, returned=1_001), "outcome"),
        (WON, order(returned=1_852), "returned.minorUnits"),
        (LOST, order(returned=1), "returned.minorUnits"),
        (VOID, order(returned=0), "returned.minorUnits"),
        (WON, order(stake=0, returned=0), "stake.minorUnits"),
        (WON, order(entry_time=NOON - timedelta(seconds=8)), "entryTick.time"),
        (WON, order(entry_time=NOON - timedelta(seconds=700)), "entryTick.time"),
        (WON, order(opened_at=NOON, entry_time=NOON), "expireTime"),
        (WON, order(closed_at=NOON - timedelta(seconds=20)), "closeTime"),
        (WON, order(stake_transfer_id=items_of()[0][0].close_transfer_id), "transferIds"),
        (WON, order(price_scale=4), "fixing.ticksBefore price.scale"),
        (WON, fixing(tick=EARLIER), "fixing.tick"),
        (WON, fixing(tick=fixing_of(ENTRY + 1, NOON).ticks_before[2]), "fixing.tick"),
        (WON, fixing(ticks_before=()), "fixing.state"),
        (WON, fixing(ticks_before=LATE), "fixing.tick"),
        (WON, fixing(ticks_before=LATE, tick=ANCIENT), "fixing.tick.time"),
        (WON, fixing(ticks_before=(tick(52, ENTRY + 1, NOON + SECOND),)), "fixing.ticksBefore[0]"),
        (WON, fixing(ticks_after=(tick(60, ENTRY, NOON),)), "fixing.ticksAfter[0].time"),
        (WON, fixing(ticks_after=(tick(50, ENTRY, NOON + SECOND),)), "fixing.ticksAfter"),
        (WON, fixing(watermark=NOON - timedelta(microseconds=1)), "fixing.watermark"),
        (WON, fixing(feed_time=None), "fixing.feedTime"),
        (WON, fixing(feed_time=NOON + SECOND), "fixing.feedTime"),
        (WON, fixing(feed_time=NOON - timedelta(seconds=600)), "fixing.feedTime"),
        (WON, lambda item: (item[0], FAR, 1), "fixing.time"),
        (VOID, fixing(feed_time=NOON + 4 * SECOND), "fixing.voidReason"),
        (VOID, fixing(void_reason=VoidReason.NO_TICK), "fixing.voidReason"),
        (VOID, fixing(void_reason=VoidReason.MARKET_CLOSED, feed_time=None), "fixing.feedTime"),
        (LOST, order(order_id=items_of()[0][0].order_id), "orderId"),
    ],
)
def test_a_lie_with_the_right_hash_and_signature_is_found(
    number: int, change: Callable[[Item], Item], what: str
) -> None:
    found = lying(change, number)
    assert found.difference.what.startswith(what), found
    assert found.line == number + 1


@pytest.mark.parametrize(
    ("number", "path", "value", "what"),
    [
        (WON, "fixing.voidReason", "NO_TICK", "fixing.voidReason"),
        (VOID, "fixing.tick", HONEST[1]["receipt"]["entryTick"], "fixing.tick"),
        (WON, "entryTick.late", True, "entryTick.late"),
        (WON, "returned.currencyCode", "EUR", "returned.currencyCode"),
        (WON, "payoutBp", -1, "payoutBp"),
    ],
)
def test_a_lie_that_no_platform_of_ours_could_write_is_found(
    number: int, path: str, value: Any, what: str
) -> None:
    lines = exported([items_of()[number - 1]])
    receipt = lines[1]["receipt"]
    *holders, field = path.split(".")
    holder = receipt[holders[0]] if holders else receipt
    holder[field] = value
    receipt["hash"] = hash_of(receipt)
    assert (untrue(lines).line, untrue(lines).difference.what) == (2, what)


def test_an_order_that_expires_between_two_seconds_is_found() -> None:
    moment = NOON + timedelta(milliseconds=500)
    item = (items_of()[0][0]._replace(expires_at=moment), fixing_of(ENTRY + 1, moment), 1)
    assert untrue(exported([item])).difference.what == "expireTime"


def test_one_moment_has_one_price() -> None:
    first, second = items_of((CASES[0], CASES[1]))
    moment = first[0].expires_at
    opened, entered = moment - 9 * SECOND, moment - 9 * SECOND
    order = second[0]._replace(expires_at=moment, opened_at=opened, entry_time=entered)
    found = untrue(exported([first, (order, fixing_of(ENTRY - 1, moment), 1)]))
    assert (found.line, found.difference.what) == (3, "fixing")


@pytest.mark.parametrize("reason", VoidReason)
def test_a_void_for_any_reason_that_its_evidence_allows_is_right(reason: VoidReason) -> None:
    closed, fixing, version = items_of((Case(Direction.DOWN, reason),))[0]
    if reason not in {VoidReason.FEED_SILENT, VoidReason.NOT_COVERED}:
        fixing = fixing._replace(feed_time=fixing.point.time)
    if reason is VoidReason.NO_TICK:
        fixing = fixing._replace(ticks_before=())
    assert verify(file_of(exported([(closed, fixing, version)]))).outcomes == {"VOID": 1}


def test_a_price_behind_three_late_ticks_is_right() -> None:
    closed, fixing, version = items_of()[0]
    price = tick(12, ENTRY + 1, NOON - 3 * SECOND)
    fixing = fixing._replace(ticks_before=LATE, tick=price)
    assert verify(file_of(exported([(closed, fixing, version)]))).outcomes == {"WIN": 1}
