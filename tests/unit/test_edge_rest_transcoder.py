"""Path, query and body to a request; a response to what is shown."""

from typing import Any

import pytest
from google.protobuf import json_format

from edge.contract import bindings
from edge.rest.routes import Routes
from edge.rest.transcoder import Transcoder
from services.kit.errors import Failure, Violation
from veritick.identity.v1.auth_service_pb2 import LogOutResponse
from veritick.quotes.v1.instrument_service_pb2 import ListInstrumentsResponse
from veritick.trading.v1.order_pb2 import Order
from veritick.trading.v1.order_service_pb2 import PlaceOrderResponse

TRANSCODERS = {
    route.binding.rpc.name: Transcoder(route)
    for route in Routes(bindings()).all
    if not route.binding.additional
}


@pytest.mark.parametrize(
    ("call", "path", "query", "body", "request_json"),
    [
        ("GetAccount", ["demo_1"], "", b"", {"accountId": "demo_1"}),
        ("ListInstruments", [], "pageSize=5&filter=a%3Db+AND+c", b"",
         {"pageSize": 5, "filter": "a=b AND c"}),
        ("ListInstruments", [], "page_size=5&pageToken=", b"", {"pageSize": 5}),
        ("ListCandles", ["EURUSD"], "interval=60s&start=2026-01-01T00:00:00%2B01:00", b"",
         {"instrument": "EURUSD", "interval": "60s", "start": "2025-12-31T23:00:00Z"}),
        ("GetProposal", ["demo_1"], "stake.minorUnits=-7&stake.currencyCode=USD&direction=UP", b"",
         {"accountId": "demo_1", "direction": "UP",
          "stake": {"currencyCode": "USD", "minorUnits": "-7"}}),
        ("PlaceOrder", ["demo_1"], "", b'{"requestId": "x", "minPayoutBp": 0}',
         {"accountId": "demo_1", "requestId": "x", "minPayoutBp": 0}),
        ("PlaceOrder", ["demo_1"], "", b'{"accountId": "demo_1"}', {"accountId": "demo_1"}),
        ("UpdateInstrument", ["EURUSD"], "", b'{"displayName": "EUR/USD"}',
         {"instrument": {"symbol": "EURUSD", "displayName": "EUR/USD"}}),
        ("UpdateInstrument", ["EURUSD"], "", b'{"symbol": "EURUSD"}',
         {"instrument": {"symbol": "EURUSD"}}),
        ("UpdateTerms", ["demo", "EURUSD"], "", b"{}",
         {"book": "demo", "terms": {"instrument": "EURUSD"}}),
        ("CreateInstrument", [], "", b"{}", {"instrument": {}}),
        ("CreateStreamTicket", [], "", b"", {}),
        ("LogOut", [], "", b"", {}),
    ],
)  # fmt: skip
def test_a_request_is_made_of_path_query_and_body(
    call: str, path: list[str], query: str, body: bytes, request_json: dict[str, Any]
) -> None:
    message = TRANSCODERS[call].request(path, query, body)
    assert json_format.MessageToDict(message) == request_json


@pytest.mark.parametrize(
    ("call", "path", "query", "body", "field"),
    [
        ("GetAccount", ["demo_1"], "accountId=demo_2", b"", "accountId"),
        ("GetAccount", ["demo_1"], "colour=red", b"", "colour"),
        ("ListInstruments", [], "pageSize=1&page_size=2", b"", "pageSize"),
        ("ListInstruments", [], "pageSize=", b"", "pageSize"),
        ("ListInstruments", [], "pageSize=99999999999", b"", "pageSize"),
        ("ListCandles", ["EURUSD"], "interval=60", b"", "interval"),
        ("GetProposal", ["demo_1"], "stake=10", b"", "stake"),
        ("GetProposal", ["demo_1"], "direction=1", b"", "direction"),
        ("GetProposal", ["demo_1"], "durationSeconds=5&expireTime=2026-01-01T00:00:00Z", b"",
         "expireTime"),
        ("PlaceOrder", ["demo_1"], "", b'{"accountId": "demo_2"}', "accountId"),
        ("PlaceOrder", ["demo_1"], "requestId=x", b"{}", "requestId"),
        ("PlaceOrder", ["demo_1"], "", b"[]", ""),
        ("PlaceOrder", ["demo_1"], "", b'{"\\ud800": 1}', "?"),
        ("UpdateInstrument", ["EURUSD"], "", b'{"symbol": "GBPUSD"}', "instrument.symbol"),
        ("UpdateInstrument", ["EURUSD"], "", b'{"instrument": {}}', "instrument"),
        ("UpdateInstrument", ["EURUSD"], "", b'{"schedule": {"windows": [1]}}',
         "schedule.windows[0]"),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_made_names_the_field(
    call: str, path: list[str], query: str, body: bytes, field: str
) -> None:
    with pytest.raises(Failure) as refusal:
        TRANSCODERS[call].request(path, query, body)
    assert [violation.field for violation in refusal.value.violations] == [field]


@pytest.mark.parametrize(
    ("query", "body"), [("", b"{}"), ("a=%ff", b""), ("&".join(["a=1"] * 200), b"")]
)
def test_a_request_of_a_wrong_form_is_refused(query: str, body: bytes) -> None:
    with pytest.raises(Failure, match=r"body|query"):
        TRANSCODERS["GetAccount"].request(["demo_1"], query, body)


def test_the_resource_is_shown_and_a_replay_noticed() -> None:
    placed = TRANSCODERS["PlaceOrder"]
    response = PlaceOrderResponse(order=Order(order_id="demo_1"), replay=True)
    answer = placed.answer(response)
    assert (answer.shown["orderId"], answer.replay) == ("demo_1", True)
    assert not placed.answer(PlaceOrderResponse()).replay
    assert placed.answer(PlaceOrderResponse()).shown["orderId"] == ""
    assert TRANSCODERS["LogOut"].answer(LogOutResponse()).shown == {}
    listed = TRANSCODERS["ListInstruments"].answer(ListInstrumentsResponse())
    assert listed.shown == {"instruments": [], "nextPageToken": ""}


def test_what_a_service_finds_wrong_is_named_as_the_client_wrote_it() -> None:
    found = [
        Violation("stake.minor_units", "is bad"),
        Violation("instrument.price_scale", "is bad"),
        Violation("instrument.symbol", "is bad"),
    ]

    def fields(call: str) -> list[str]:
        return [item.field for item in TRANSCODERS[call].as_client_sees(found)]

    assert fields("PlaceOrder") == [
        "stake.minorUnits",
        "instrument.priceScale",
        "instrument.symbol",
    ]
    assert fields("UpdateInstrument") == ["stake.minorUnits", "priceScale", "instrument.symbol"]
