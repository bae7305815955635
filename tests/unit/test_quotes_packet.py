from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.clock import utc
from services.quotes.packet import (
    Complaint,
    Heartbeat,
    MalformedPacket,
    Quote,
    Welcome,
    parse_packet,
)


def test_a_tick_keeps_its_price_as_it_was_written() -> None:
    frame = '{"type":"tick","symbol":"EURUSD","price":"1.08340","time":"2026-11-23T18:40:00.5Z"}'
    moment = utc(2026, 11, 23, 18, 40, 0, 500_000)
    assert parse_packet(frame) == Quote("EURUSD", "1.08340", moment)


@pytest.mark.parametrize(
    ("frame", "packet"),
    [
        ('{"type":"tick","symbol":"A","price":"1"}', Quote("A", "1", None)),
        (
            b'{"type":"tick","symbol":"A","price":"1","time":"2026-11-23T20:00:00+02:00"}',
            Quote("A", "1", utc(2026, 11, 23, 18)),
        ),
        ('{"type":"heartbeat"}', Heartbeat()),
        ('{"type":"of the future","x":1}', Heartbeat()),
        ('{"type":"welcome","recordings":["EURUSD"]}', Welcome(frozenset({"EURUSD"}))),
        ('{"type":"welcome"}', Welcome(frozenset())),
        ('{"type":"error","message":"no"}', Complaint("no")),
    ],
)
def test_what_a_server_may_say(frame: str | bytes, packet: object) -> None:
    assert parse_packet(frame) == packet


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "tick",
        "[]",
        "null",
        "{}",
        '{"type":1}',
        '{"type":"tick"}',
        '{"type":"tick","symbol":"","price":"1"}',
        '{"type":"tick","symbol":"A","price":1.5}',
        '{"type":"tick","symbol":"A","price":""}',
        '{"type":"tick","symbol":"A","price":"1","time":"yesterday"}',
        '{"type":"tick","symbol":"A","price":"1","time":5}',
        '{"type":"tick","symbol":"A","price":"1","time":"0001-01-01T00:00:00+14:00"}',
        '{"type":"welcome","recordings":"EURUSD"}',
        b"\xff\xfe",
        '{"type":"tick","symbol":"A","price":NaN}',
    ],
)
def test_what_makes_no_sense_is_malformed(frame: str | bytes) -> None:
    with pytest.raises(MalformedPacket):
        parse_packet(frame)


@given(st.one_of(st.text(), st.binary()))
def test_nothing_else_is_ever_raised(frame: str | bytes) -> None:
    with suppress(MalformedPacket):
        parse_packet(frame)
