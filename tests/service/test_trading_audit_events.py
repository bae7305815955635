"""The auditor on the journal: what traders were told of their orders is what there is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.trading.order import Outcome
from services.trading.wire import ORDER_OPENED, ORDER_SETTLED
from tests.service.trading_audit_fixtures import Books, found
from veritick.event.v1.event_pb2 import Event
from veritick.trading.v1 import order_pb2

pytest_plugins = ["tests.service.trading_audit_fixtures"]

_WRITE = "UPDATE journal SET payload = %(payload)s WHERE position = %(position)s"
_SUBJECTS = "SELECT position, subject FROM journal WHERE type = %(kind)s ORDER BY position"
_MOVE = "UPDATE journal SET subject = %(subject)s WHERE position = %(position)s"


class Told:
    """The last event of a type."""

    def __init__(self, books: Books, kind: str) -> None:
        query = "SELECT position, payload FROM journal WHERE type = %(kind)s ORDER BY position DESC"
        (self.position, payload), *_ = books.tamper(query, kind=kind)
        self._books = books
        self._event = Event.FromString(payload)

    @property
    def order(self) -> order_pb2.Order:
        data = self._event.WhichOneof("data")
        assert data in {"order_opened", "order_settled"}
        found: order_pb2.Order = getattr(self._event, data).order
        return found

    def tell(self, change: Callable[[order_pb2.Order], object]) -> None:
        """Let it have told the order with this change."""
        change(self.order)
        self.write(self._event.SerializeToString())

    def write(self, payload: bytes) -> None:
        """Let this have been told."""
        self._books.tamper(_WRITE, payload=payload, position=self.position)


CHANGES: list[tuple[str, str, Callable[[order_pb2.Order], object]]] = [
    (ORDER_SETTLED, "outcome", lambda order: setattr(order, "outcome", order_pb2.Order.DRAW)),
    (ORDER_SETTLED, "returned", lambda order: setattr(order.returned, "minor_units", 1)),
    (ORDER_SETTLED, "returned", lambda order: setattr(order.returned, "minor_units", 0)),
    (ORDER_SETTLED, "close_tick", lambda order: setattr(order.close_tick.price, "mantissa", 1)),
    (ORDER_OPENED, "stake", lambda order: setattr(order.stake, "minor_units", 1)),
    (ORDER_OPENED, "state", lambda order: setattr(order, "state", order_pb2.Order.CLOSED)),
    (ORDER_OPENED, "account_id", lambda order: setattr(order, "account_id", "demo_x")),
]


@pytest.mark.parametrize(
    ("kind", "field", "change"), CHANGES, ids=[f"{kind} {field}" for kind, field, _ in CHANGES]
)
async def test_an_event_that_tells_otherwise_than_its_order_is_named(
    books: Books, kind: str, field: str, change: Callable[[order_pb2.Order], object]
) -> None:
    await books.trade(await books.demo.account(), Outcome.WIN)
    told = Told(books, kind)
    order_id = told.order.order_id.removeprefix("demo_")
    told.tell(change)
    (finding,) = (await books.audit()).findings
    assert finding[:3] == ("I8", "journal", str(told.position))
    assert finding.problem == f"tells another {field} of the order {order_id}"


async def test_what_an_older_build_had_not_to_tell_is_missed_by_nobody(books: Books) -> None:
    await books.trade(await books.demo.account(), Outcome.WIN)
    Told(books, ORDER_SETTLED).tell(lambda order: order.ClearField("request_id"))
    Told(books, ORDER_OPENED).tell(lambda order: order.entry_tick.ClearField("time"))
    assert await found(books) == set()


async def test_an_event_that_cannot_be_read_tells_of_no_order(books: Books) -> None:
    order = await books.trade(await books.demo.account(), Outcome.WIN)
    told = Told(books, ORDER_SETTLED)
    told.write(b"\xff")
    assert await found(books) == {
        ("I8", "journal", str(told.position)),
        ("I8", "journal", f"order {order.order_id}"),
    }


async def test_traders_who_were_told_of_each_others_orders_are_named(books: Books) -> None:
    orders = [await books.trade(await books.demo.account(), Outcome.WIN) for _ in range(2)]
    (first, here), (second, there) = books.tamper(_SUBJECTS, kind=ORDER_SETTLED)
    # By a third place, since no two events of a subject may have one sequence, not for a moment.
    for position, subject in [(first, "nobody"), (second, here), (first, there)]:
        books.tamper(_MOVE, position=position, subject=subject)
    report = await books.audit()
    accounts = [f"demo_{order.account_id}" for order in orders]
    assert {(item.row, item.problem) for item in report.findings if item.table == "journal"} >= {
        (
            str(position),
            f"tells account:{other} of the order {order.order_id}, which is of {account}",
        )
        for position, order, account, other in zip(
            (first, second), orders, accounts, reversed(accounts), strict=True
        )
    }
