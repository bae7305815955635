"""Refusals on record: none is lost, and no flood of them is more than a handful of records."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.kit.audit import AUDIT_SUBJECT, By
from services.kit.clock import ManualClock, utc
from services.kit.database import Database
from services.kit.journal import Journal
from services.kit.reason import Reason
from services.kit.refusals import KINDS_MAX, Refusals
from services.local.keys import ensure_keys
from tests.service.kit_events import cancelled
from tests.service.kit_rpc import USER, Server, bearer, refusal, running_server
from tests.waiting import PATIENCE_SECONDS
from veritick.event.v1.event_pb2 import Event
from veritick.identity.v1.audit_record_pb2 import AuditRecord
from veritick.trading.v1.account_service_pb2 import ListAccountsRequest, OpenAccountsRequest
from veritick.trading.v1.terms_service_pb2 import ListTermsRequest, UpdateTermsRequest

pytest_plugins = ["tests.service.kit_fixtures"]

NOON = utc(2026, 11, 26, 12)
DENIED = Reason.PERMISSION_DENIED


@pytest.fixture
def journal(kit_database: Database) -> Journal:
    return Journal("trading", kit_database)


@pytest.fixture
def refusals(journal: Journal, kit_database: Database) -> Refusals:
    return Refusals(journal, kit_database, ManualClock(NOON), every_seconds=0.05)


async def records(journal: Journal) -> list[AuditRecord]:
    entries = await journal.read_subject(AUDIT_SUBJECT, 0, 1_000)
    return [Event.FromString(entry.payload).audit_recorded.record for entry in entries]


async def test_refusals_of_one_kind_are_one_record(journal: Journal, refusals: Refusals) -> None:
    for number in range(1_000):
        refusals.note("X.Y", "", By("user:7", request_id=f"request-{number}"), DENIED)
    refusals.note("X.Z", "", By("user:7"), DENIED)
    await refusals.tell()
    found = [(record.action, record.count, record.request_id) for record in await records(journal)]
    assert found == [("X.Y", 1_000, "request-0"), ("X.Z", 1, "")]


async def test_a_flood_of_kinds_is_bounded_and_counted(
    journal: Journal, refusals: Refusals
) -> None:
    for number in range(10 * KINDS_MAX):
        refusals.note("X.Y", "", By(f"user:{number}"), DENIED)
    await refusals.tell()
    found = await records(journal)
    assert len(found) == KINDS_MAX + 1
    assert sum(record.count for record in found) == 10 * KINDS_MAX
    assert (found[-1].actor, found[-1].count) == ("many", 9 * KINDS_MAX)


async def test_what_was_not_told_yet_is_told_at_the_end(
    journal: Journal, refusals: Refusals
) -> None:
    running = asyncio.create_task(refusals.run())
    await asyncio.sleep(0)
    refusals.note("X.Y", "", By("user:7"), DENIED)
    await cancelled(running)
    assert [record.action for record in await records(journal)] == ["X.Y"]


async def test_an_outage_loses_no_refusal(journal: Journal, kit_database: Database) -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing", name="nowhere")
    away = Refusals(journal, nowhere, ManualClock(NOON))
    away.note("X.Y", "", By("user:7"), DENIED)
    await away.tell()
    away.note("X.Y", "", By("user:7"), DENIED)
    away._database = kit_database
    await away.tell()
    assert [record.count for record in await records(journal)] == [2]


@pytest.fixture
async def server(
    tmp_path_factory: pytest.TempPathFactory, refusals: Refusals
) -> AsyncIterator[Server]:
    keys: Path = tmp_path_factory.mktemp("keys")
    ensure_keys(keys)
    async with running_server(keys, ManualClock(NOON), refusals=refusals) as server:
        yield server


async def test_a_call_that_is_not_permitted_is_on_record(server: Server, journal: Journal) -> None:
    staff = bearer(server.user_token("other.write"))
    await refusal(server.terms.UpdateTerms(UpdateTermsRequest(book="demo"), metadata=staff))
    quotes = bearer(server.service_token("quotes"))
    await refusal(
        server.accounts.OpenAccounts(OpenAccountsRequest(user_id=str(USER)), metadata=quotes)
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(found := await records(journal)) < 2:
            await asyncio.sleep(0.01)
    assert [(record.actor, record.action, record.reason) for record in found] == [
        (f"user:{USER}", "TermsService.UpdateTerms", "PERMISSION_DENIED"),
        ("service:quotes", "AccountService.OpenAccounts", "PERMISSION_DENIED"),
    ]
    assert found[0].network == "127.0.0.0/24"


async def test_strangers_and_permitted_calls_are_not(
    server: Server, journal: Journal, refusals: Refusals
) -> None:
    await refusal(server.accounts.ListAccounts(ListAccountsRequest()))
    await server.terms.ListTerms(ListTermsRequest(book="demo"))
    await refusals.tell()
    assert await records(journal) == []
