"""The accounts of a user who is to be erased: closed for good, in every book or in none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from services.kit.clock import utc
from services.kit.errors import Failure
from services.kit.origin import Origin, set_origin
from services.kit.reason import Reason
from services.trading.acceptance import AccountState
from services.trading.book import Account
from services.trading.closing import Obstacle, obstacles
from services.trading.neighbours import following_users
from services.trading.order import Outcome
from services.trading.personal_data_rpc import PersonalDataFace
from tests.service.trading_fixtures import Bench, bench
from tests.stores import Postgres
from veritick.event.v1.event_pb2 import Event, UserErased
from veritick.identity.v1.erasure_pb2 import ErasureObstacle
from veritick.journal.v1.journal_service_pb2 import JournalEntry
from veritick.trading.v1.personal_data_service_pb2 import CloseAccountsRequest

LAPTOP, SHARED = Origin("192.0.2.7", "Firefox", "a-laptop"), Origin("192.0.2.8", "curl", "")
EMPTY = Account(UUID(int=1), UUID(int=2), "USD", 0, 0, AccountState.OPEN, 0, utc(2026, 11, 26))


@pytest_asyncio.fixture
async def demo(postgres: Postgres) -> AsyncIterator[Bench]:
    async with bench(postgres) as lent:
        yield lent


@pytest.mark.parametrize(
    ("account", "real", "found"),
    [
        (EMPTY, True, []),
        (EMPTY._replace(posted=1), True, [Obstacle.BALANCE]),
        (EMPTY._replace(posted=1), False, []),
        (EMPTY._replace(open_orders=1), False, [Obstacle.OPEN_ORDERS]),
        (EMPTY._replace(posted=5, held=5), False, [Obstacle.HELD_MONEY]),
        (EMPTY._replace(state=AccountState.FROZEN), True, [Obstacle.FROZEN_ACCOUNT]),
    ],
)
def test_what_stands_in_the_way_of_closing(
    account: Account, real: bool, found: list[Obstacle]
) -> None:
    assert obstacles([account], real=real) == found


def test_obstacles_have_the_numbers_of_the_contract() -> None:
    numbers = dict(ErasureObstacle.items())
    assert {each.name: each.value for each in Obstacle}.items() <= numbers.items()


async def close(
    demo: Bench, account: Account, *others: object, validate_only: bool = False
) -> list[ErasureObstacle.ValueType]:
    desks = {"demo": demo.desk} | {f"demo-{n}": other for n, other in enumerate(others, 1)}
    request = CloseAccountsRequest(user_id=str(account.user_id), validate_only=validate_only)
    face = PersonalDataFace(desks)  # type: ignore[arg-type]  # the others are stand-ins
    return list((await face.CloseAccounts(request, None)).obstacles)


async def test_an_account_closes_when_nothing_of_it_goes_on(demo: Bench) -> None:
    account = await demo.account()
    order = (await demo.place(account)).booked.order
    assert await close(demo, account) == [ErasureObstacle.OPEN_ORDERS]
    await demo.settle(order.order_id, Outcome.VOID)
    assert await close(demo, account, validate_only=True) == []
    assert (await demo.now(account)).state == AccountState.OPEN
    for _ in range(2):
        assert await close(demo, account) == []
        assert (await demo.now(account)).state == AccountState.CLOSED
    with pytest.raises(Failure) as refused:
        await demo.place(account)
    assert refused.value.reason is Reason.ACCOUNT_CLOSED
    assert (await demo.desk.open_account(account.user_id)).account_id == account.account_id


async def test_accounts_close_in_every_book_or_in_none(demo: Bench) -> None:
    account = await demo.account()

    class LateOrder:
        """A book in which an order slips in between asking and closing."""

        async def obstacles(self, _user_id: UUID) -> list[Obstacle]:
            return []

        async def close_accounts(self, _user_id: UUID) -> list[Obstacle]:
            return [Obstacle.OPEN_ORDERS]

    assert await close(demo, account, LateOrder()) == [ErasureObstacle.OPEN_ORDERS]
    assert (await demo.now(account)).state == AccountState.OPEN


async def test_from_where_an_erased_user_traded_is_forgotten(demo: Bench) -> None:
    account, other = await demo.account(), await demo.account()
    for who, where in ((account, LAPTOP), (account, SHARED), (other, SHARED)):
        set_origin(partial(Origin, where.address, where.agent, where.device))
        demo.desk.origins.note([await demo.place(who)], who.user_id)
    await demo.desk.origins.write()

    desk = demo.desk
    follow = following_users(desk.open_account, desk.protect, desk.origins.forget_user, real=False)
    erased = UserErased(user_id=str(account.user_id))
    for _ in range(2):
        async with desk.book.database.transaction() as connection:
            await follow(connection, JournalEntry(event=Event(user_erased=erased)))
    assert await desk.origins.page(account.user_id, None, None, 10) == []
    [left] = await desk.origins.page(other.user_id, None, None, 10)
    assert left.address == SHARED.address
    with psycopg.connect(demo.owner) as connection:
        assert connection.execute("SELECT address FROM origin").fetchall() == [(SHARED.address,)]
