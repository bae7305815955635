"""The chain of the audit trail: what fits, and how each way of touching it shows."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.trail import GENESIS, Break, Link, Record, breaks_in, chained, hash_of
from services.kit.clock import utc

NOON = utc(2026, 11, 26, 12)


def record(number: int) -> Record:
    return Record(
        journal="quotes",
        position=number,
        time=NOON + timedelta(seconds=number),
        actor="user:7",
        action="instrument.update",
        subject="instrument:EURUSD",
        outcome="DONE",
        reason="",
        count=1,
        before="{}",
        after=f'{{"n": {number}}}',
        network="203.0.113.0/24",
        session_id="s",
        request_id="r",
    )


def chain(length: int) -> list[Link]:
    return chained(0, GENESIS, [record(number) for number in range(1, length + 1)])


def test_a_chain_that_nobody_touched_has_no_breaks() -> None:
    assert list(breaks_in(0, GENESIS, chain(5))) == []


def test_a_chain_is_checked_in_parts_as_in_one() -> None:
    links = chain(6)
    assert list(breaks_in(3, links[2].hash, links[3:])) == []
    assert chained(3, links[2].hash, [link.record for link in links[3:]]) == links[3:]


@pytest.mark.parametrize("field", Record.__slots__)
def test_a_changed_field_is_named_by_its_record(field: str) -> None:
    links = chain(4)
    now = getattr(links[1].record, field)
    other: Any = now + timedelta(microseconds=1) if field == "time" else now * 2 or "x"
    links[1] = replace(links[1], record=replace(links[1].record, **{field: other}))
    assert [found.sequence for found in breaks_in(0, GENESIS, links)] == [2]


def test_a_record_that_is_gone_is_named() -> None:
    links = chain(5)
    del links[1:3]
    assert list(breaks_in(0, GENESIS, links)) == [Break(2, "missing, up to 3")]


def test_a_record_rewritten_with_its_own_hash_breaks_the_next() -> None:
    links = chain(4)
    other = replace(links[1].record, actor="user:8")
    links[1] = Link(2, other, hash_of(links[0].hash, 2, other))
    assert [found.sequence for found in breaks_in(0, GENESIS, links)] == [3]


def test_two_records_that_changed_places_are_named() -> None:
    links = chain(4)
    links[1], links[2] = (
        replace(links[1], record=links[2].record),
        replace(links[2], record=links[1].record),
    )
    assert [found.sequence for found in breaks_in(0, GENESIS, links)] == [2, 3]


@given(st.text(max_size=5), st.text(max_size=5), st.text(max_size=5), st.text(max_size=5))
def test_no_two_records_share_a_text(a: str, b: str, c: str, d: str) -> None:
    one = replace(record(1), actor=a, action=b)
    other = replace(record(1), actor=c, action=d)
    same = hash_of(GENESIS, 1, one) == hash_of(GENESIS, 1, other)
    assert same == ((a, b) == (c, d))
