"""The Python client's attempts: again where it is safe, always as the same request."""

import contextlib

import httpx
import pytest

from tests.unit.sdk_edge import (
    ACCOUNT,
    IMPATIENT,
    NOON,
    Edge,
    Reply,
    answer,
    client,
    lost,
    refusal,
)
from veritick import VeritickError
from veritick.orders import order_request
from veritick.pace import Pace


@pytest.mark.parametrize(
    "hiccup",
    [
        refusal("UNAVAILABLE", 503),
        refusal("DEADLINE_EXCEEDED", 504),
        refusal("OUTCOME_UNKNOWN", 503),
        lost(httpx.ConnectError),
        lost(httpx.ReadError),
        lost(httpx.RemoteProtocolError),
        lost(httpx.ReadTimeout),
    ],
)
async def test_an_order_is_repeated_as_the_very_same_request(hiccup: Reply) -> None:
    edge = Edge(hiccup, hiccup, answer({"orderId": "demo_1", "state": "OPEN"}))

    order = await client(edge).place(
        ACCOUNT, "BTCUSD", "UP", stake_minor_units=1000, duration_seconds=5
    )

    assert order.order_id == "demo_1"
    assert len(edge.bodies) == 3
    assert edge.bodies[0] == edge.bodies[1] == edge.bodies[2]
    assert {"requestId", "validUntil"} <= edge.bodies[0].keys()


async def test_two_orders_are_two_requests() -> None:
    edge = Edge(answer({"orderId": "demo_1"}))
    veritick = client(edge)

    for _ in range(2):
        await veritick.place(ACCOUNT, "BTCUSD", "UP", stake_minor_units=1, duration_seconds=5)

    assert edge.bodies[0]["requestId"] != edge.bodies[1]["requestId"]


async def test_a_replay_is_told() -> None:
    edge = Edge(
        answer({"orderId": "demo_1"}), answer({"orderId": "demo_1"}, idempotent_replayed="true")
    )
    request = order_request(
        ACCOUNT, "BTCUSD", "UP", stake_minor_units=1, duration_seconds=5, valid_until=NOON
    )
    veritick = client(edge)

    responses = [await veritick.submit(request) for _ in range(2)]

    assert [response.replay for response in responses] == [False, True]


@pytest.mark.parametrize("reason", ["INSUFFICIENT_FUNDS", "VALID_UNTIL_PASSED", "INTERNAL"])
async def test_a_refusal_that_will_not_change_is_not_asked_again(reason: str) -> None:
    edge = Edge(refusal(reason, 400))

    with pytest.raises(VeritickError, match=reason):
        await client(edge).accounts()

    assert len(edge.requests) == 1


async def test_attempts_have_an_end() -> None:
    edge = Edge(lost(httpx.ReadError))

    with pytest.raises(VeritickError) as caught:
        await client(edge).accounts()

    assert caught.value.reason == "UNAVAILABLE"
    assert caught.value.status is None
    assert len(edge.requests) == IMPATIENT.attempts_max


@pytest.mark.parametrize(
    ("hiccup", "attempts"),
    [
        (lost(httpx.ReadError), 1),
        (refusal("UNAVAILABLE", 503), 1),
        (lost(httpx.ConnectError), 2),
        (refusal("RATE_LIMITED", 429), 2),
    ],
)
async def test_registering_is_repeated_only_if_it_cannot_have_happened(
    hiccup: Reply, attempts: int
) -> None:
    edge = Edge(hiccup, answer({"userId": "u"}))

    with contextlib.suppress(VeritickError):
        await client(edge).register("ada@example.com", "analytical engine")

    assert len(edge.requests) == attempts


def test_waits_double_up_to_a_bound_and_heed_what_is_asked() -> None:
    pace = Pace(first_seconds=1, longest_seconds=5, chance=lambda: 0)

    assert [pace.wait_seconds(attempt) for attempt in range(1, 6)] == [1, 2, 4, 5, 5]
    assert pace.wait_seconds(1, asked_seconds=9) == 9
    assert pace.wait_seconds(1, asked_seconds=10_000) == 60
    assert Pace(first_seconds=1, chance=lambda: 1).wait_seconds(1) == 0.5
