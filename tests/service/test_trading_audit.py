"""The auditor: a book in order passes, and every broken invariant is named with its row."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from services.kit.errors import Failure
from services.kit.reason import Reason
from services.trading.audit import MarketState, Point, Standing
from services.trading.audit_command import audit, lines_of, verdict
from services.trading.auditing import Auditing
from services.trading.auditor import Auditor
from services.trading.market import WATERMARK_AGE_MAX as AGE_MAX
from services.trading.order import Order, Outcome
from tests.expansion import EXPANSION
from tests.service.commands import RunCommand
from tests.service.trading_audit_fixtures import Books, Record, but_told, found
from tests.service.trading_breaks import BREAKS, Break

pytest_plugins = ["tests.service.commands", "tests.service.trading_audit_fixtures"]


async def test_an_empty_book_passes(books: Books) -> None:
    assert await found(books) == set()
    assert await found(books, full=True) == set()


async def test_a_busy_book_passes(books: Books) -> None:
    await books.be_busy()
    report = await books.audit()
    assert report.findings == []
    # Three openings, fifteen orders with their closes, three transfers, and a posted hold.
    assert report.entries == report.last_entry_id == 37
    await books.demo.desk.ledger.roll_up(worth=1)
    await books.be_busy()
    assert await found(books, full=True) == set()


async def test_columns_that_this_build_does_not_know_stop_nothing(books: Books) -> None:
    """They come with an upgrade, while what was prepared and planned before is in use."""
    await books.be_busy()
    books.tamper(EXPANSION)
    await books.be_busy()
    assert await found(books, full=True) == set()


@pytest.mark.parametrize("case", BREAKS, ids=lambda case: case.what)
async def test_a_broken_invariant_is_named_with_its_row(books: Books, case: Break) -> None:
    await books.be_busy()
    (returned,) = books.tamper(case.statements)
    named = {(name, table, row.format(*returned)) for name, table, row in case.named}
    assert await found(books) == named


async def test_a_fixing_that_is_still_pending_closes_nothing(books: Books) -> None:
    order = await books.trade(await books.demo.account(), Outcome.WIN)
    del books.record.fixed[Point(order.instrument, order.expires_at)]
    assert await found(books) == {("I6", "closed_order", str(order.order_id))}


async def test_an_audit_goes_on_where_the_last_one_ended(books: Books) -> None:
    (account, *_) = await books.be_busy()
    first = await books.audit()
    again = await books.audit()
    await books.trade(account, Outcome.WIN)
    third = await books.audit()
    assert [report.entries for report in (first, again, third)] == [37, 0, 3]
    assert [report.full for report in (first, again, third)] == [True, False, False]
    assert not first.findings + again.findings + third.findings


async def test_what_is_new_and_broken_is_found_beside_what_was_in_order(books: Books) -> None:
    (account, *_) = await books.be_busy()
    assert await found(books) == set()
    order = await books.trade(account, Outcome.WIN)
    books.tamper(
        "UPDATE closed_order SET returned = returned + 1 WHERE order_id = %(order)s",
        order=order.order_id,
    )
    for _ in range(2):  # it stays found until it is put right
        assert await found(books) == {("I5", "closed_order", str(order.order_id))}


async def test_tampering_with_what_was_in_order_is_found_by_a_full_audit(books: Books) -> None:
    await books.be_busy()
    assert await found(books) == set()
    ((order_id,),) = books.tamper(
        "UPDATE closed_order SET returned = returned + 1 WHERE order_id ="
        " (SELECT order_id FROM closed_order LIMIT 1) RETURNING order_id"
    )
    assert await found(books) == set()
    assert await found(books, full=True) == {("I5", "closed_order", str(order_id))}


async def test_a_balance_is_checked_although_its_account_did_nothing_new(books: Books) -> None:
    (account, *_) = await books.be_busy()
    assert await found(books) == set()
    books.tamper(
        "UPDATE account SET posted = posted + 1 WHERE account_id = %(account)s",
        account=account.account_id,
    )
    assert await found(books) == {("I2", "account", str(account.account_id))}


async def test_a_chain_that_was_made_anew_does_not_fit_what_was_audited(books: Books) -> None:
    await books.be_busy()
    assert await found(books) == set()
    ((seal_id,),) = books.tamper(
        "UPDATE seal SET hash = sha256(hash) WHERE seal_id ="
        " (SELECT max(seal_id) FROM seal) RETURNING seal_id"
    )
    assert await found(books) == {("I7", "seal", str(seal_id))}


def opening(order: Order) -> Point:
    return Point(order.instrument, order.opened_at)


def since_it_could_be_known(order: Order) -> list[Point]:
    """Every moment at which the auditor looks, up to the opening."""
    looks = [AGE_MAX * look / 10 for look in range(11)]
    return [Point(order.instrument, order.opened_at - look) for look in looks]


@pytest.mark.parametrize(
    "state", [MarketState.CLOSED, MarketState.NOT_ENABLED, MarketState.FEED_SILENT]
)
async def test_an_order_that_opened_on_a_market_that_was_not_open_is_named(
    books: Books, state: MarketState
) -> None:
    account = await books.demo.account()
    right, wrong = await books.open(account), await books.trade(account, Outcome.WIN)
    wrong_again = await books.open(account)
    for order in (wrong, wrong_again):
        for point in since_it_could_be_known(order):
            books.record.stood[point] = books.record.standing(point)._replace(state=state)
    assert await found(books) == {
        ("I12", "closed_order", str(wrong.order_id)),
        ("I12", "open_order", str(wrong_again.order_id)),
    }
    assert right.order_id not in {wrong.order_id, wrong_again.order_id}


async def test_an_ingestor_that_lived_shortly_before_an_opening_is_enough(books: Books) -> None:
    order = await books.open(await books.demo.account())
    moments = since_it_could_be_known(order)
    # It began and ended within the age that the book's view may have.
    for point in moments[:3] + moments[5:]:
        away = books.record.standing(point)._replace(state=MarketState.NOT_COVERED)
        books.record.stood[point] = away
    assert await found(books) == set()


async def test_a_change_that_could_not_have_reached_the_book_yet_is_nobodys_fault(
    books: Books,
) -> None:
    order = await books.open(await books.demo.account())
    point = opening(order)
    halted = books.record.standing(point)._replace(state=MarketState.NOT_ENABLED)
    books.record.stood[point] = halted
    assert await found(books) == set()


async def test_an_order_that_outlives_its_session_is_named(books: Books) -> None:
    order = await books.open(await books.demo.account())
    point = opening(order)
    closes_at = order.expires_at - timedelta(seconds=1)
    books.record.stood[point] = books.record.standing(point, closes_at)
    assert await found(books) == {("I12", "open_order", str(order.order_id))}
    books.record.stood[point] = books.record.standing(point, order.expires_at)
    assert await found(books) == set()


@pytest.mark.parametrize(("number", "price"), [(999, 10_000), (2, 9_999)])
async def test_an_order_on_a_tick_that_quotes_never_stored_is_named(
    books: Books, number: int, price: int
) -> None:
    order = await books.open(await books.demo.account())
    symbol, tick = books.record.ticks[-1]
    assert (tick.number, tick.price) == (2, 10_000)
    books.record.ticks = books.record.ticks.copy()
    books.record.ticks[-1] = (symbol, tick._replace(number=number, price=price))
    assert await found(books) == {("I12", "open_order", str(order.order_id))}


async def test_what_the_record_has_forgotten_is_not_held_against_anybody(books: Books) -> None:
    await books.open(await books.demo.account())
    books.record.state, books.record.ticks = MarketState.FORGOTTEN, []
    assert await found(books) == set()


class Slow(Record):
    """Quotes whose record reaches a moment only when asked again."""

    asked = 0

    async def standings(self, points: Sequence[Point]) -> list[Standing | None]:
        self.asked += 1
        known = await super().standings(points)
        return known if self.asked > 4 else [None for _ in points]


async def test_orders_that_opened_just_now_wait_until_the_record_reaches_them(
    books: Books,
) -> None:
    slow = Slow()
    books.use(slow)
    await books.open(await books.demo.account())
    assert await found(books) == set()
    assert slow.asked > 4


class Never(Record):
    """Quotes whose record stands still."""

    async def standings(self, points: Sequence[Point]) -> list[Standing | None]:
        return [None for _ in points]


async def test_orders_that_the_record_does_not_reach_stay_unchecked_and_are_looked_at_again(
    books: Books,
) -> None:
    books.use(Never())
    await books.open(await books.demo.account())
    report = await books.audit()
    assert report.unchecked == {"I12": "no quotes to ask for the markets of 1 orders"}
    books.use(Record())
    report = await books.audit()
    assert (report.entries, report.unchecked, report.findings) == (2, {}, [])


async def test_a_book_audits_itself_and_says_aloud_what_it_finds(books: Books) -> None:
    await books.be_busy()
    auditing = Auditing("demo", books.auditor())
    await auditing.run()
    assert (sample("findings"), sample("unchecked"), sample("entries_total") > 0) == (0, 0, True)
    books.tamper("UPDATE seal SET time = time + interval '1 s' WHERE seal_id = 5")
    books.tamper("DELETE FROM audit")
    with capture_logs() as logs:
        await auditing.run()
    assert sample("findings") == 1
    alarm = {"event": "an invariant is broken", "log_level": "error", "invariant": "I7"}
    assert next(entry for entry in logs if alarm.items() <= entry.items())["row"] == "5"
    job = auditing.job()
    assert (job.name, job.every) == ("audit", timedelta(minutes=1))


def sample(name: str) -> float:
    value = REGISTRY.get_sample_value(f"veritick_trading_audit_{name}", {"book": "demo"})
    assert value is not None
    return value


class Away:
    """Quotes that do not answer."""

    async def fixings(self, points: object) -> list[None]:
        raise Failure(Reason.UNAVAILABLE, "quotes is away")

    async def standings(self, points: object) -> list[None]:
        raise Failure(Reason.UNAVAILABLE, "quotes is away")


async def test_without_quotes_everything_else_is_checked(books: Books) -> None:
    await books.be_busy()
    desk, now = books.demo.desk, books.demo.market.clock.now
    auditor = Auditor(desk.book.database, desk.wire, now, Away())
    assert verdict([await auditor.audit()]) == 2
    ((order_id,),) = books.tamper(
        "UPDATE closed_order SET returned = returned + 1, close_number = 999 WHERE order_id ="
        " (SELECT order_id FROM closed_order LIMIT 1) RETURNING order_id"
    )
    report = await auditor.audit()
    assert [item[::2] for item in but_told(report)] == [("I5", str(order_id))]
    assert set(report.unchecked) == {"I6", "I12"}
    assert verdict([report]) == 1


async def test_a_report_is_a_table_for_people(books: Books) -> None:
    await books.be_busy()
    books.tamper("UPDATE seal SET time = time + interval '1 s' WHERE seal_id = 5")
    report = await books.audit()
    assert list(lines_of("demo", report)) == [
        "demo: 1 findings; 37 all entries up to 37",
        "  I7   seal  5  does not fit its entries 5 to 6",
    ]
    assert verdict([report]) == 1


async def test_the_command_ends_with_what_it_found(
    books: Books, monkeypatch: pytest.MonkeyPatch, run_command: RunCommand
) -> None:
    monkeypatch.setenv("VERITICK_MODE", "development")
    monkeypatch.setenv("VERITICK_BOOKS__DEMO__DATABASE_URL", books.demo.owner)

    async def run(*arguments: str) -> tuple[int, str]:
        ended = await run_command(partial(audit, list(arguments)))
        return ended.returncode, ended.stdout + ended.stderr

    assert await run("--book", "demo") == (0, "demo: in order; 0 all entries up to 0\n")
    await books.be_busy()
    code, output = await run("--full")
    assert (code, output.count("\n")) == (2, 3)
    assert "I6   not checked: no quotes to ask for the fixings of 12 orders" in output
    assert "I12  not checked: no quotes to ask for the markets of 15 orders" in output
    books.tamper("UPDATE seal SET time = time + interval '1 s' WHERE seal_id = 5")
    code, output = await run()
    assert (code, output.splitlines()[0][:16]) == (1, "demo: 1 findings")
    assert await run("--book", "nosuch") == (1, "audit: there is no book 'nosuch' here\n")


async def test_the_command_is_one_of_the_services(books: Books) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.trading", "audit"),
        env={
            "PATH": os.environ["PATH"],
            "VERITICK_MODE": "development",
            "VERITICK_BOOKS__DEMO__DATABASE_URL": books.demo.owner,
        },
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert (process.returncode, output) == (0, b"demo: in order; 0 all entries up to 0\n")
