"""The platform's time as the Python client measures it."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.unit.sdk_edge import (
    ACCOUNT,
    ACCOUNT_ID,
    NOON,
    Edge,
    answer,
    client,
)
from veritick.clock import ServerClock


class Stopwatch:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def server_clock(wall: datetime = NOON) -> tuple[ServerClock, Stopwatch]:
    stopwatch = Stopwatch()
    return ServerClock(stopwatch, lambda: wall), stopwatch


def test_before_any_answer_the_time_is_that_of_this_machine() -> None:
    clock, stopwatch = server_clock()
    stopwatch.seconds += 2

    assert clock.now() == NOON + timedelta(seconds=2)
    assert clock.uncertainty is None


def test_a_date_tells_the_time_to_half_a_second_and_the_way() -> None:
    clock, _ = server_clock()
    hour_ahead = NOON + timedelta(hours=1)

    clock.saw_date(format_datetime(hour_ahead, usegmt=True), 999.9, 1000.0)

    assert abs(clock.now() - hour_ahead) <= timedelta(seconds=1.1)
    assert clock.uncertainty == timedelta(seconds=0.55)


def test_answers_narrow_the_time_down() -> None:
    clock, stopwatch = server_clock()
    now = truth = NOON + timedelta(minutes=7, milliseconds=400)

    for _ in range(40):
        stopwatch.seconds += 0.73
        now = truth + timedelta(seconds=stopwatch.seconds - 1000)
        date = format_datetime(now.replace(microsecond=0), usegmt=True)
        clock.saw_date(date, stopwatch.seconds - 0.02, stopwatch.seconds)

    assert abs(clock.now() - now) < timedelta(seconds=0.1)


def test_an_exact_time_is_known_to_the_length_of_the_call() -> None:
    clock, stopwatch = server_clock()
    told = NOON - timedelta(days=1)

    clock.saw(told, stopwatch.seconds - 0.010, stopwatch.seconds)

    assert abs(clock.now() - told) <= timedelta(milliseconds=11)


def test_a_clock_that_was_set_is_believed_at_once() -> None:
    clock, stopwatch = server_clock()
    clock.saw(NOON, stopwatch.seconds, stopwatch.seconds)

    clock.saw(NOON + timedelta(minutes=5), stopwatch.seconds, stopwatch.seconds)

    assert abs(clock.now() - NOON - timedelta(minutes=5)) < timedelta(milliseconds=1)


@pytest.mark.parametrize("header", [None, "", "yesterday", "Mon, 99 Nov 2026 99:00:00 GMT"])
def test_a_date_that_is_none_teaches_nothing(header: str | None) -> None:
    clock, _ = server_clock()

    clock.saw_date(header, 999, 1000)

    assert clock.now() == NOON


async def test_an_order_is_valid_for_five_seconds_of_the_platforms_time() -> None:
    behind = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
    date = format_datetime(behind, usegmt=True)
    edge = Edge(answer({"accounts": []}, date=date), answer({"orderId": "demo_1"}, date=date))
    veritick = client(edge)
    await veritick.accounts()

    await veritick.place(ACCOUNT, "BTCUSD", "UP", stake_minor_units=1, duration_seconds=5)

    valid_until = datetime.fromisoformat(json.loads(edge.requests[-1].content)["validUntil"])
    assert timedelta(seconds=4) < valid_until - behind < timedelta(seconds=7)


async def test_the_time_of_an_answer_that_tells_it_is_used() -> None:
    told = NOON - timedelta(days=400)
    body = {"events": [], "lastSequence": "0", "serverTime": told.isoformat()}
    veritick = client(Edge(answer(body)))

    await veritick.last_sequence(ACCOUNT_ID)

    assert abs(veritick.clock.now() - told) < timedelta(seconds=1)
