"""The Python client over REST: how requests travel, and what answers become."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest
from google.protobuf.message import Message

from tests.unit.sdk_edge import ACCOUNT, ACCOUNT_ID, NOON, Edge, answer, client, refusal
from veritick import VeritickError
from veritick.client import default_stream_url
from veritick.errors import error_of
from veritick.identity.v1.auth_service_pb2 import LogOutRequest, RegisterRequest
from veritick.orders import order_request
from veritick.quotes.v1.instrument_pb2 import Instrument
from veritick.quotes.v1.instrument_service_pb2 import UpdateInstrumentRequest
from veritick.quotes.v1.market_data_service_pb2 import ListCandlesRequest, WatchTicksRequest
from veritick.route import HttpRequest, http_request
from veritick.trading.v1.account_pb2 import Account
from veritick.trading.v1.account_service_pb2 import (
    ListAccountsRequest,
    ListAccountsResponse,
    ListEntriesRequest,
    RefillDemoAccountRequest,
)
from veritick.trading.v1.order_pb2 import UP
from veritick.trading.v1.order_service_pb2 import GetOrderRequest, GetProposalRequest
from veritick.trading.v1.report_service_pb2 import ExportOrdersRequest
from veritick.type.v1.money_pb2 import Money


@pytest.mark.parametrize(
    ("request_message", "verb", "path", "query", "body"),
    [
        (ListAccountsRequest(), "GET", "/v1/accounts", (), None),
        (LogOutRequest(), "DELETE", "/v1/sessions/current", (), None),
        (
            RegisterRequest(email="ada@example.com", password="analytical"),
            "POST",
            "/v1/users",
            (),
            {"email": "ada@example.com", "password": "analytical"},
        ),
        (
            ListEntriesRequest(account_id=ACCOUNT_ID, page_size=5, filter="kind=PAYOUT"),
            "GET",
            f"/v1/accounts/{ACCOUNT_ID}/entries",
            (("pageSize", "5"), ("filter", "kind=PAYOUT")),
            None,
        ),
        (
            RefillDemoAccountRequest(account_id=ACCOUNT_ID, request_id="r"),
            "POST",
            f"/v1/accounts/{ACCOUNT_ID}:refill",
            (),
            {"requestId": "r"},
        ),
        (
            GetOrderRequest(account_id="a/../b", order_id="o?x=1"),
            "GET",
            "/v1/accounts/a%2F..%2Fb/orders/o%3Fx%3D1",
            (),
            None,
        ),
        (
            GetProposalRequest(
                account_id=ACCOUNT_ID,
                instrument="BTCUSD",
                direction=UP,
                stake=Money(currency_code="USD", minor_units=2**40),
            ),
            "GET",
            f"/v1/accounts/{ACCOUNT_ID}/proposal",
            (
                ("instrument", "BTCUSD"),
                ("direction", "UP"),
                ("stake.currencyCode", "USD"),
                ("stake.minorUnits", str(2**40)),
            ),
            None,
        ),
        (
            UpdateInstrumentRequest(instrument=Instrument(symbol="BTCUSD", price_scale=2)),
            "PUT",
            "/v1/instruments/BTCUSD",
            (),
            {"symbol": "BTCUSD", "priceScale": 2},
        ),
    ],
)
def test_a_request_travels_as_the_contract_annotates_it(
    request_message: Message,
    verb: str,
    path: str,
    query: Sequence[tuple[str, str]],
    body: dict[str, Any] | None,
) -> None:
    assert http_request(request_message) == HttpRequest(verb, path, tuple(query), body)


def test_durations_and_times_travel_as_text() -> None:
    request = ListCandlesRequest(instrument="BTCUSD")
    request.interval.FromSeconds(60)
    request.start.FromDatetime(NOON)

    query = dict(http_request(request).query)

    assert query == {"interval": "60s", "start": "2026-11-23T12:00:00Z"}


@pytest.mark.parametrize("message", [Account(), WatchTicksRequest(instruments=["BTCUSD"])])
def test_what_the_edge_does_not_offer_is_refused_here(message: Message) -> None:
    with pytest.raises(TypeError, match="REST route"):
        http_request(message)


@pytest.mark.parametrize(
    ("url", "stream_url"),
    [
        ("http://127.0.0.1:8080", "ws://127.0.0.1:8081/v1/stream"),
        ("https://trade.example.com", "wss://trade.example.com/v1/stream"),
    ],
)
def test_the_socket_is_on_the_next_port_or_the_same_origin(url: str, stream_url: str) -> None:
    assert default_stream_url(url) == stream_url


# ---- answers ------------------------------------------------------------------------------------


async def test_an_answer_becomes_a_message_and_unknown_fields_do_no_harm() -> None:
    edge = Edge(answer({"accounts": [{"accountId": ACCOUNT_ID, "book": "DEMO", "newer": 1}]}))

    accounts = await client(edge).accounts()

    assert [account.account_id for account in accounts] == [ACCOUNT_ID]


async def test_a_refusal_keeps_everything_the_problem_document_says() -> None:
    problem = {
        "type": "about:blank",
        "status": 400,
        "detail": "stake is required.",
        "reason": "INVALID_REQUEST",
        "metadata": {"a": "b"},
        "violations": [{"field": "stake", "description": "is required"}],
    }

    with pytest.raises(VeritickError) as caught:
        await client(Edge(answer(problem, 400))).accounts()

    error = caught.value
    assert (error.reason, error.status, error.retryable) == ("INVALID_REQUEST", 400, False)
    assert error.metadata == {"a": "b"}
    assert [(v.field, v.description) for v in error.violations] == [("stake", "is required")]


@pytest.mark.parametrize(
    ("status", "body", "reason", "retryable"),
    [
        (502, b"<html>Bad Gateway</html>", "UNAVAILABLE", True),
        (503, b"[]", "UNAVAILABLE", True),
        (429, b"", "RATE_LIMITED", True),
        (401, b"null", "UNAUTHENTICATED", False),
        (500, b"\xff", "INTERNAL", False),
        (418, b'{"reason": "NEWER_THAN_THIS_CLIENT"}', "NEWER_THAN_THIS_CLIENT", False),
        (418, b'{"reason": "NEWER", "retryable": true}', "NEWER", True),
        (503, b'{"reason": "UNAVAILABLE", "retryable": false}', "UNAVAILABLE", False),
        (400, b'{"metadata": 7, "violations": 7}', "INTERNAL", False),
    ],
)
def test_whatever_stands_before_the_edge_may_answer(
    status: int, body: bytes, reason: str, retryable: bool
) -> None:
    error = error_of(status, body)

    assert (error.reason, error.retryable, error.status) == (reason, retryable, status)


async def test_an_answer_that_is_no_such_message_is_an_error_not_a_crash() -> None:
    with pytest.raises(VeritickError, match="INTERNAL"):
        await client(Edge(answer({"accounts": "many"}))).accounts()


@pytest.mark.parametrize(
    "expiry", [{}, {"duration_seconds": 5, "expire_time": NOON}], ids=["none", "both"]
)
def test_an_order_expires_exactly_once(expiry: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="either"):
        order_request(ACCOUNT, "BTCUSD", "UP", stake_minor_units=1, valid_until=NOON, **expiry)


async def test_any_call_of_the_contract_can_be_made() -> None:
    edge = Edge(answer({"accounts": [{"accountId": ACCOUNT_ID}]}))

    response = await client(edge).call(ListAccountsRequest(), ListAccountsResponse)

    assert response.accounts[0].account_id == ACCOUNT_ID


async def test_a_file_arrives_in_pieces_and_only_a_whole_one_ends_quietly() -> None:
    request = ExportOrdersRequest(account_id=ACCOUNT_ID, filter="outcome=WIN")

    async def pieces(*parts: bytes, broken: bool = False) -> AsyncIterator[bytes]:
        for part in parts:
            yield part
        if broken:
            raise httpx.RemoteProtocolError("the line went dead")

    whole = Edge(lambda _: httpx.Response(200, content=pieces(b"order_id\r\n", b"demo_1\r\n")))
    assert b"".join([piece async for piece in client(whole).download(request)]) == (
        b"order_id\r\ndemo_1\r\n"
    )
    assert whole.requests[0].url.path == f"/v1/accounts/{ACCOUNT_ID}/orders:export"

    for edge, reason in (
        (Edge(lambda _: httpx.Response(200, content=pieces(b"or", broken=True))), "UNAVAILABLE"),
        (Edge(refusal("RATE_LIMITED", 429)), "RATE_LIMITED"),
    ):
        with pytest.raises(VeritickError) as refused:
            async for _ in client(edge).download(request):
                pass
        assert refused.value.reason == reason
