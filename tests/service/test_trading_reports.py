"""What traders ask about the past: profits by day and instrument, records by date, and as files."""

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from services.kit.errors import Failure
from services.kit.principal import Principal, set_caller
from services.kit.reason import Reason
from services.kit.wire import to_timestamp
from services.trading import export
from services.trading.book import Account
from services.trading.order import Outcome
from services.trading.personal_data import personal_data
from services.trading.report_rpc import ReportFace
from services.trading.rpc import AccountFace, OrderFace
from tests.service.trading_fixtures import SYMBOL, Bench, bench
from tests.stores import Postgres
from veritick.trading.v1 import account_service_pb2 as accounts_pb
from veritick.trading.v1 import order_service_pb2 as orders_pb
from veritick.trading.v1 import report_service_pb2 as reports_pb

OTHER = "ETHUSD"
# The noon of the real day, so that no test reaches midnight before it means to.
TODAY = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)


@pytest_asyncio.fixture
async def demo(postgres: Postgres) -> AsyncIterator[Bench]:
    async with bench(postgres, SYMBOL, OTHER, ids_tell_market_time=True) as lent:
        lent.market.clock.advance(TODAY - lent.market.clock.now())
        lent.market.tick(10_000, SYMBOL)
        lent.market.tick(10_000, OTHER)
        yield lent


class Reader:
    """An account's owner, who reads."""

    def __init__(self, demo: Bench, account: Account) -> None:
        self.account_id = demo.desk.wire.id(account.account_id)
        set_caller(Principal("user", str(account.user_id)))
        desks = {"demo": demo.desk}
        self.reports, self.orders_face = ReportFace(desks), OrderFace(desks)
        self.accounts = AccountFace(desks)

    async def profits(self, **asked: Any) -> reports_pb.ListDailyProfitsResponse:
        request = reports_pb.ListDailyProfitsRequest(account_id=self.account_id, **asked)
        return await self.reports.ListDailyProfits(request, None)

    async def days(self, **asked: Any) -> list[tuple[str, str]]:
        found = (await self.profits(**asked)).daily_profits
        return [(profit.date, profit.instrument) for profit in found]

    async def orders(self, **asked: Any) -> list[str]:
        request = orders_pb.ListOrdersRequest(account_id=self.account_id, **asked)
        return [
            order.order_id for order in (await self.orders_face.ListOrders(request, None)).orders
        ]

    async def entries(self, **asked: Any) -> list[Any]:
        request = accounts_pb.ListEntriesRequest(account_id=self.account_id, **asked)
        return list((await self.accounts.ListEntries(request, None)).entries)

    async def file(self, **asked: Any) -> list[dict[str, str]]:
        """Return the rows of the exported orders."""
        request = reports_pb.ExportOrdersRequest(account_id=self.account_id, **asked)
        return rows([piece async for piece in self.reports.ExportOrders(request, None)])

    async def statement(self, **asked: Any) -> list[dict[str, str]]:
        """Return the rows of the exported entries."""
        request = reports_pb.ExportEntriesRequest(account_id=self.account_id, **asked)
        return rows([piece async for piece in self.reports.ExportEntries(request, None)])


def rows(pieces: list[Any]) -> list[dict[str, str]]:
    assert {piece.body.content_type for piece in pieces} == {"text/csv; charset=utf-8"}
    assert pieces[0].file_name.endswith(".csv")
    text = b"".join(piece.body.data for piece in pieces).decode()
    return list(csv.DictReader(io.StringIO(text)))


async def close(demo: Bench, account: Account, symbol: str, *outcomes: Outcome) -> None:
    """Place as many orders of 10.00 at 85 % and close them so."""
    tick = demo.market.tick(10_000, symbol)
    for outcome in outcomes:
        order = (await demo.place(account, instrument=symbol)).booked.order
        await demo.settle(order.order_id, outcome, tick if outcome is not Outcome.VOID else None)


async def two_days(demo: Bench) -> Reader:
    """Return the owner of an account that traded two instruments on one day, and one the next."""
    account = await demo.account()
    await close(demo, account, SYMBOL, Outcome.WIN, Outcome.LOSS, Outcome.WIN)
    await close(demo, account, OTHER, Outcome.LOSS, Outcome.DRAW, Outcome.VOID)
    demo.market.advance(86_400, 10_000)
    await close(demo, account, SYMBOL, Outcome.WIN)
    return Reader(demo, account)


FIRST = TODAY.date().isoformat()
SECOND = (TODAY.date() + timedelta(days=1)).isoformat()


async def test_profits_are_counted_by_day_and_instrument(demo: Bench) -> None:
    reader = await two_days(demo)
    found = (await reader.profits()).daily_profits
    assert [
        (p.date, p.instrument, p.orders, p.winners, p.losers, p.refunds, p.profit.minor_units)
        for p in found
    ] == [
        (SECOND, SYMBOL, 1, 1, 0, 0, 850),
        (FIRST, OTHER, 3, 0, 1, 2, -1_000),
        (FIRST, SYMBOL, 3, 2, 1, 0, 700),
    ]
    assert [(p.stakes.minor_units, p.returned.minor_units) for p in found] == [
        (1_000, 1_850),
        (3_000, 2_000),
        (3_000, 3_700),
    ]


async def test_profits_are_narrowed_and_paged_by_key(demo: Bench) -> None:
    reader = await two_days(demo)
    assert await reader.days(filter=f"instrument={OTHER}") == [(FIRST, OTHER)]
    assert await reader.days(start=SECOND) == [(SECOND, SYMBOL)]
    assert await reader.days(end=SECOND) == [(FIRST, OTHER), (FIRST, SYMBOL)]
    page = await reader.profits(page_size=2)
    assert await reader.days(page_token=page.next_page_token) == [(FIRST, SYMBOL)]
    with pytest.raises(Failure) as refused:
        await reader.days(start="2026-02-30")
    assert refused.value.reason is Reason.INVALID_REQUEST
    assert refused.value.violations[0].field == "start"


async def test_records_are_narrowed_to_the_moments_asked_for(demo: Bench) -> None:
    account = await demo.account()
    moments = []
    for _ in range(3):
        await close(demo, account, SYMBOL, Outcome.WIN)
        moments.append(to_timestamp(demo.market.clock.now()))
        demo.market.advance(20, 10_000)
    reader = Reader(demo, account)
    newest, middle, oldest = await reader.orders()
    assert await reader.orders(start=moments[1]) == [newest, middle]
    assert await reader.orders(end=moments[1]) == [oldest]
    assert await reader.orders(start=moments[1], end=moments[2]) == [middle]
    assert await reader.orders(start=moments[2], filter="outcome=LOSS") == []
    # Two entries an order, and the opening balance before them.
    assert len(await reader.entries()) == 7
    within = await reader.entries(start=moments[1], end=moments[2])
    assert {entry.order_id for entry in within} == {middle}
    of_one = await reader.entries(filter=f"orderId={oldest}")
    assert [entry.amount.minor_units for entry in of_one] == [1_850, -1_000]
    with pytest.raises(Failure) as refused:
        await reader.entries(filter="orderId=real_1")
    assert refused.value.reason is Reason.INVALID_FILTER


async def test_a_file_has_every_order_that_the_list_has(
    demo: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_PAGE", 2)
    reader = await two_days(demo)
    listed = await reader.orders()
    file = await reader.file()
    assert [row["order_id"] for row in file] == listed
    assert sum(Decimal(row["profit"]) for row in file) == Decimal("5.50")
    draw, void = (next(row for row in file if row["outcome"] == o) for o in ("DRAW", "VOID"))
    assert (draw["stake"], draw["returned"], draw["close_price"]) == ("10.00", "10.00", "100.00")
    assert (void["void_reason"], void["close_price"]) == ("NO_TICK", "")
    assert void["open_time"].endswith("Z")
    lost = await reader.file(filter=f"outcome=LOSS AND instrument={OTHER}")
    assert [(row["instrument"], row["profit"]) for row in lost] == [(OTHER, "-10.00")]
    entries = await reader.statement(filter="kind=STAKE")
    assert {row["amount"] for row in entries} == {"-10.00"}
    assert len(entries) == len(listed)


async def test_a_file_of_nothing_names_its_columns_and_of_a_stranger_is_refused(
    demo: Bench,
) -> None:
    reader = Reader(demo, await demo.account())
    assert await reader.file() == []
    set_caller(Principal("user", str((await demo.account()).user_id)))
    with pytest.raises(Failure) as refused:
        await reader.file()
    assert refused.value.reason is Reason.ACCOUNT_NOT_FOUND


async def test_everything_kept_about_a_person_is_files_of_every_account(demo: Bench) -> None:
    reader = await two_days(demo)
    account = await demo.desk.book.account(UUID(reader.account_id.partition("_")[2]))
    assert account
    await demo.desk.origins.write()
    files: dict[str, bytes] = {}
    async for piece in personal_data(demo.desk, account.user_id):
        files[piece.file_name] = files.get(piece.file_name, b"") + piece.data
        assert piece.about

    own = f"demo/{reader.account_id}"
    exported = list(csv.DictReader(io.StringIO(files[f"{own}-orders.csv"].decode())))
    assert exported == await reader.file()
    assert (
        list(csv.DictReader(io.StringIO(files[f"{own}-entries.csv"].decode())))
        == await reader.statement()
    )
    [told] = [json.loads(line) for line in files["demo/accounts.jsonl"].splitlines()]
    assert told["account_id"] == reader.account_id
    assert [piece async for piece in personal_data(demo.desk, uuid4())] == []
