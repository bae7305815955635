"""Receipts: whoever has the JSON can recompute the hash, and no field can change unnoticed."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st

from services.kit.clock import utc
from services.settlement.fixing import Fixing, Point, Tick, VoidReason
from services.settlement.outcome import Direction, Outcome
from services.settlement.receipt import GENESIS, Closed, Link, Receipt, chain, time_text
from services.settlement.wire import from_evidence, receipt_message, to_evidence
from tests.settlement_receipt import hash_of, lines_of

NOON = utc(2026, 11, 23, 12)
POINT = Point("EURUSD", NOON)
START = Link(0, GENESIS)

moments = st.integers(0, 10**15).map(lambda n: utc(1970, 1, 1) + timedelta(microseconds=n * 7))
amounts = st.integers(0, 2**63 - 1)
ticks = st.builds(
    Tick,
    number=amounts,
    price=amounts,
    scale=st.integers(0, 12),
    time=moments,
    source_time=st.none() | moments,
    late=st.booleans(),
)
fixings = st.builds(
    Fixing,
    point=st.builds(Point, st.sampled_from(["EURUSD", "BTCUSD"]), moments),
    tick=ticks,
    void_reason=st.none(),
    ticks_before=st.lists(ticks, max_size=3).map(tuple),
    ticks_after=st.lists(ticks, max_size=3).map(tuple),
    watermark=moments,
    feed_time=st.none() | moments,
    rule_version=st.integers(1, 9),
)
void_fixings = st.builds(
    lambda fixing, reason: fixing._replace(tick=None, void_reason=reason),
    fixings,
    st.sampled_from(VoidReason),
)
orders = st.builds(
    Closed,
    order_id=st.uuids(),
    instrument=st.sampled_from(["EURUSD", "BTCUSD"]),
    direction=st.sampled_from(Direction),
    stake=amounts,
    currency=st.sampled_from(["USD", "JPY", "USDT"]),
    payout_bp=st.integers(1, 9_000),
    terms_version=st.integers(1, 2**40),
    opened_at=moments,
    expires_at=moments,
    entry_number=amounts,
    entry_price=amounts,
    price_scale=st.integers(0, 12),
    entry_time=moments,
    entry_source_time=st.none() | moments,
    outcome=st.sampled_from(Outcome),
    returned=amounts,
    closed_at=moments,
    stake_transfer_id=st.uuids(),
    close_transfer_id=st.uuids(),
)
proofs = st.tuples(orders, fixings | void_fixings, st.integers(1, 3))


def tick(number: int) -> Tick:
    return Tick(number, 112_146 + number, 5, NOON - timedelta(milliseconds=1), NOON)


def closed(number: int) -> Closed:
    return Closed(
        order_id=UUID(int=number),
        instrument="EURUSD",
        direction=Direction.UP,
        stake=1_000,
        currency="USD",
        payout_bp=8_500,
        terms_version=1,
        opened_at=NOON - timedelta(seconds=9, microseconds=5),
        expires_at=NOON,
        entry_number=3,
        entry_price=112_140,
        price_scale=5,
        entry_time=NOON - timedelta(seconds=9, microseconds=9),
        entry_source_time=None,
        outcome=Outcome.WIN,
        returned=1_850,
        closed_at=NOON + timedelta(milliseconds=120),
        stake_transfer_id=UUID(int=number),
        close_transfer_id=UUID(int=number + 100),
    )


FINAL = Fixing(POINT, tick(1), None, (tick(0), tick(1)), (tick(2),), NOON, NOON, 1)


def shown(receipt: Receipt, fixing: Fixing) -> dict[str, Any]:
    """Return a receipt as the JSON that everybody sees."""
    message = receipt_message("demo", receipt, fixing)
    answer: dict[str, Any] = MessageToDict(message, always_print_fields_with_no_presence=True)
    return answer


def issued(*numbers: int) -> list[dict[str, Any]]:
    receipts = chain("demo", START, [(closed(number), FINAL, 1) for number in numbers])
    return [shown(receipt, FINAL) for receipt in receipts]


TEXT = """
veritick receipt 1
previous 0000000000000000000000000000000000000000000000000000000000000000
sequence 1
order demo_00000000-0000-0000-0000-000000000001
instrument EURUSD
direction UP
stake 1000 USD
payout_bp 8500
terms_version 1
open_time 2026-11-23T11:59:50.999995Z
expire_time 2026-11-23T12:00:00.000000Z
entry EURUSD 3 112140 5 2026-11-23T11:59:50.999991Z - 0
outcome WIN
returned 1850 USD
close_time 2026-11-23T12:00:00.120000Z
transfer demo_00000000-0000-0000-0000-000000000001
transfer demo_00000000-0000-0000-0000-000000000065
fixing EURUSD 2026-11-23T12:00:00.000000Z FINAL -
fixing_rule_version 1
fixing_tick EURUSD 1 112147 5 2026-11-23T11:59:59.999000Z 2026-11-23T12:00:00.000000Z 0
fixing_before EURUSD 0 112146 5 2026-11-23T11:59:59.999000Z 2026-11-23T12:00:00.000000Z 0
fixing_before EURUSD 1 112147 5 2026-11-23T11:59:59.999000Z 2026-11-23T12:00:00.000000Z 0
fixing_after EURUSD 2 112148 5 2026-11-23T11:59:59.999000Z 2026-11-23T12:00:00.000000Z 0
fixing_watermark 2026-11-23T12:00:00.000000Z
fixing_feed_time 2026-11-23T12:00:00.000000Z
"""


def test_the_text_is_what_the_documentation_says() -> None:
    receipt = issued(1)[0]
    assert lines_of(receipt) == TEXT.split("\n")[1:-1]
    # Fixed for ever: receipts that were issued stay valid.
    assert receipt["hash"] == "ff63e51e0cfcccfd66376d26198b03e3bb79171c92fdbfe6b35bd99bcbff5101"


# A point has one fixing, so no two proofs disagree about it.
@given(st.lists(proofs, min_size=1, max_size=4, unique_by=lambda proof: proof[1].point))
def test_a_chain_can_be_checked_from_its_json(items: list[tuple[Closed, Fixing, int]]) -> None:
    receipts = list(chain("real-1", START, items))
    previous = GENESIS
    for number, (receipt, (_, fixing, _)) in enumerate(zip(receipts, items, strict=True), start=1):
        message = receipt_message("real-1", receipt, fixing)
        seen = MessageToDict(message, always_print_fields_with_no_presence=True)
        assert seen["hash"] == hash_of(seen)
        assert (seen["sequence"], seen["previousHash"]) == (str(number), previous)
        previous = seen["hash"]


@given(fixings | void_fixings)
def test_a_fixing_is_read_back_as_it_was_stored(fixing: Fixing) -> None:
    assert from_evidence(to_evidence(fixing)) == fixing


def test_a_chain_continues_where_it_ended() -> None:
    whole = list(chain("demo", START, [(closed(n), FINAL, 1) for n in (1, 2, 3)]))
    first = whole[0]
    rest = chain("demo", Link(first.sequence, first.hash), [(closed(n), FINAL, 1) for n in (2, 3)])
    assert list(rest) == whole[1:]


def test_another_book_has_another_hash() -> None:
    item = (closed(1), FINAL, 1)
    demo, real = (next(chain(book, START, [item])).hash for book in ("demo", "real"))
    assert demo != real


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, (*path, key))
    else:
        yield path


def changed(value: Any) -> Any:
    """Return another value of the same kind."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str() if value.endswith("Z"):
            return "2001-01-01T00:00:00Z"
        case str() if value.isdigit():
            return str(int(value) + 1)
        case _:
            return value + "X"


ALL_FIELDS = [path for path in leaves(issued(1)[0]) if path != ("hash",)]


@pytest.mark.parametrize("path", ALL_FIELDS, ids=lambda path: ".".join(map(str, path)))
def test_no_field_can_be_changed_unnoticed(path: tuple[Any, ...]) -> None:
    receipt = issued(1)[0]
    forged = deepcopy(receipt)
    holder = forged
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = changed(holder[path[-1]])
    assert hash_of(forged) != receipt["hash"]


def test_a_receipt_names_nobody() -> None:
    fields = {".".join(str(key) for key in path) for path in leaves(issued(1)[0])}
    assert not [
        name
        for name in fields
        if any(word in name.lower() for word in ("account", "user", "request"))
    ]


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (None, "-"),
        (NOON, "2026-11-23T12:00:00.000000Z"),
        (NOON + timedelta(microseconds=7), "2026-11-23T12:00:00.000007Z"),
    ],
)
def test_how_a_time_is_written(moment: datetime | None, text: str) -> None:
    assert time_text(moment) == text
