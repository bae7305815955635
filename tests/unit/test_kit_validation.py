"""The field rules of the contract: each broken one is named by its path."""

from typing import Any
from uuid import UUID

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.validation import validator
from veritick.identity.v1.auth_service_pb2 import RegisterRequest
from veritick.journal.v1.journal_service_pb2 import ListEventsRequest
from veritick.quotes.v1.fixing_service_pb2 import BatchGetFixingsRequest, FixingPoint, VoidReason
from veritick.settlement.v1.receipt_service_pb2 import GetReceiptRequest
from veritick.trading.v1 import order_pb2
from veritick.trading.v1.book_service_pb2 import (
    ClosingPrice,
    ListDueOrdersRequest,
    SettleOrdersRequest,
)
from veritick.trading.v1.order_service_pb2 import PlaceOrderRequest, PlaceOrdersRequest
from veritick.trading.v1.terms_pb2 import Terms
from veritick.type.v1.money_pb2 import Money

SOMEBODY = UUID(int=7, version=4)
ORDER = f"demo_{SOMEBODY}"
NOON = Timestamp(seconds=1_795_435_200)


def validate(message: Message) -> None:
    validator(type(message))(message)


def paths(message: Message) -> list[str]:
    with pytest.raises(Failure) as refused:
        validate(message)
    assert refused.value.reason is Reason.INVALID_REQUEST
    named = [violation.field for violation in refused.value.violations]
    assert refused.value.message.startswith(f"{named[0]} ")
    return named


def due(**changes: Any) -> ListDueOrdersRequest:
    fields: dict[str, Any] = {"book": "demo", "until": NOON}
    return ListDueOrdersRequest(**(fields | changes))


def settle(**changes: Any) -> SettleOrdersRequest:
    fields: dict[str, Any] = {
        "book": "demo",
        "order_ids": SOMEBODY.bytes,
        "outcomes": [order_pb2.Order.WIN],
        "fixing_indexes": [0],
        "fixings": [ClosingPrice(void_reason=VoidReason.NO_TICK)],
    }
    return SettleOrdersRequest(**(fields | changes))


def place(**changes: Any) -> PlaceOrdersRequest:
    fields: dict[str, Any] = {
        "account_id": ORDER,
        "request_id": str(SOMEBODY),
        "instrument": "EURUSD",
        "direction": order_pb2.UP,
        "stake": Money(currency_code="USD", minor_units=100),
        "duration_seconds": 10,
    }
    return PlaceOrdersRequest(orders=[PlaceOrderRequest(**(fields | changes))])


def fixings(*points: FixingPoint) -> BatchGetFixingsRequest:
    return BatchGetFixingsRequest(points=points)


POINT = FixingPoint(instrument="EURUSD", time=NOON)


@pytest.mark.parametrize(
    "message",
    [
        due(),
        due(page_size=0),
        due(page_size=10_000),
        due(book="b" * 40, page_token="x" * 200),
        settle(),
        place(),
        place(valid_until=Timestamp(seconds=253_402_300_799, nanos=999_999_999)),
        place(expire_time=Timestamp(seconds=-62_135_596_800)),
        fixings(POINT),
        fixings(*[POINT] * 1000),
        GetReceiptRequest(order_id=ORDER),
        GetReceiptRequest(order_id=ORDER.replace("demo", "real-1")),
        ListEventsRequest(journal="demo", subject="payouts"),
        ListEventsRequest(journal="demo", subject="payouts", after_sequence=0),
        ListEventsRequest(journal="demo", subject="x", on_behalf_of_user_id=str(SOMEBODY)),
    ],
    ids=lambda message: type(message).__name__,
)
def test_what_keeps_the_rules_passes(message: Message) -> None:
    validate(message)


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (due(book=""), "book"),
        (due(book="b" * 41), "book"),
        (ListDueOrdersRequest(book="demo"), "until"),
        (due(page_size=-1), "page_size"),
        (due(page_size=10_001), "page_size"),
        (due(page_token="x" * 201), "page_token"),
        (settle(order_ids=b""), "order_ids"),
        (settle(order_ids=bytes(160_001)), "order_ids"),
        (settle(outcomes=[]), "outcomes"),
        (settle(outcomes=[1, 99]), "outcomes[1]"),
        (settle(fixing_indexes=[-1]), "fixing_indexes[0]"),
        (settle(fixing_indexes=[0] * 10_001), "fixing_indexes"),
        (
            settle(fixings=[ClosingPrice(void_reason=VoidReason.ValueType(99))]),
            "fixings[0].void_reason",
        ),
        (PlaceOrdersRequest(), "orders"),
        (place(account_id=""), "orders[0].account_id"),
        (place(account_id=str(SOMEBODY)), "orders[0].account_id"),
        (place(account_id=ORDER.upper()), "orders[0].account_id"),
        (place(account_id=f"{ORDER}\n"), "orders[0].account_id"),
        (place(direction=0), "orders[0].direction"),
        (place(direction=99), "orders[0].direction"),
        (place(stake=Money(currency_code="usd")), "orders[0].stake.currency_code"),
        (place(valid_until=Timestamp(seconds=253_402_300_800)), "orders[0].valid_until"),
        (place(expire_time=Timestamp(seconds=-(2**62))), "orders[0].expire_time"),
        (place(valid_until=Timestamp(nanos=1_000_000_000)), "orders[0].valid_until"),
        (due(until=Timestamp(seconds=2**62)), "until"),
        (fixings(*[POINT] * 1001), "points"),
        (fixings(POINT, FixingPoint(instrument="EURUSD")), "points[1].time"),
        (fixings(POINT, FixingPoint(instrument="eur", time=NOON)), "points[1].instrument"),
        (fixings(FixingPoint(instrument="EURUSD\n", time=NOON)), "points[0].instrument"),
        (ListEventsRequest(journal="demo", subject="x", after_sequence=-1), "after_sequence"),
        (
            ListEventsRequest(journal="demo", subject="x", on_behalf_of_user_id="me"),
            "on_behalf_of_user_id",
        ),
        (RegisterRequest(email="nobody", password="correct horse battery"), "email"),
        (RegisterRequest(email="a@b", password="correct horse battery"), "email"),
        (RegisterRequest(email="a b@example.com", password="correct horse battery"), "email"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_breaks_a_rule_is_named(message: Message, path: str) -> None:
    assert paths(message) == [path]


def test_everything_broken_is_named_in_the_order_of_the_fields() -> None:
    message = ListDueOrdersRequest(page_size=-1, page_token="x" * 201)
    assert paths(message) == ["book", "until", "page_size", "page_token"]


def test_what_is_missing_is_not_told_to_be_too_small_as_well() -> None:
    terms = Terms(instrument="EURUSD", payout_fixed_bp=0)
    assert paths(terms).count("payout_fixed_bp") == 1


def test_a_refusal_names_at_most_twenty() -> None:
    nowhen = [FixingPoint(instrument="EURUSD")] * 100
    assert paths(fixings(*nowhen)) == [f"points[{number}].time" for number in range(20)]


def test_too_long_a_list_is_not_searched() -> None:
    assert paths(fixings(*[FixingPoint()] * 1001)) == ["points"]
