"""The audit trail: fed by every service, read by few, changed by nobody."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from services.identity.__main__ import main
from services.identity.auditing import AuditTrail
from services.kit.audit import By, audited
from services.kit.clock import ManualClock
from services.kit.database import Database
from services.kit.journal import Journal
from services.kit.journal_face import JournalFace
from services.kit.process import Application, serving
from services.kit.reason import Reason
from services.kit.settings import ServiceSettings
from services.kit.tokens import USER_AUDIENCE, Keyring
from services.kit.wire import to_timestamp
from tests.service.commands import RunCommand
from tests.service.identity_server import Identity, StartIdentity, bearer, refused
from tests.service.kit_databases import Databases
from tests.service.kit_events import append
from tests.waiting import PATIENCE_SECONDS
from veritick.identity.v1.audit_record_pb2 import AuditRecord
from veritick.identity.v1.audit_service_pb2 import (
    CheckAuditTrailRequest,
    CheckAuditTrailResponse,
    ListAuditRecordsRequest,
)
from veritick.journal.v1.journal_service_pb2 import ListEventsRequest
from veritick.journal.v1.journal_service_pb2_grpc import add_JournalServiceServicer_to_server

pytest_plugins = [
    "tests.service.commands",
    "tests.service.identity_fixtures",
    "tests.service.kit_fixtures",
]
pytestmark = pytest.mark.security

STAFF = "0199a1b2-0000-7000-8000-000000000001"
ANA = By(f"user:{STAFF}", "203.0.113.0/24", "session", "request-0001")
BEN = By("user:ben", "198.51.100.0/24")


def permitted(identity: Identity, *permissions: str) -> tuple[tuple[str, str], ...]:
    claims = {"aud": USER_AUDIENCE, "sub": STAFF, "sid": STAFF, "perm": list(permissions)}
    return bearer(identity.keyring.sign(claims, timedelta(minutes=5), identity.clock.now()))


async def put_on_record(identity: Identity, *actions: str, by: By = ANA) -> None:
    """Append records to identity's own journal, as its changes do."""
    async with Database.from_settings(identity.settings, name="recorder") as database:
        events = [audited(action, "thing:1", identity.clock.now(), by=by) for action in actions]
        await append(Journal("identity", database), database, *events)


async def trail(identity: Identity, filter_: str = "", **request: Any) -> list[AuditRecord]:
    asked = ListAuditRecordsRequest(filter=filter_, **request)
    metadata = permitted(identity, "audit.read")
    return list((await identity.audit.ListAuditRecords(asked, metadata=metadata)).records)


async def until_chained(identity: Identity, count: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while identity.rows("SELECT count(*) FROM audit_record") < [(count,)]:
            await asyncio.sleep(0.02)


async def check(identity: Identity, after: int = 0) -> CheckAuditTrailResponse:
    request = CheckAuditTrailRequest(after_sequence=after)
    metadata = permitted(identity, "audit.read")
    return await identity.audit.CheckAuditTrail(request, metadata=metadata)


async def seal(identity: Identity) -> None:
    async with Database.from_settings(identity.settings, name="sealer") as database:
        await AuditTrail(database, identity.keyring, identity.clock).seal()


def tamper(identity: Identity, statement: str) -> None:
    """Change the trail as only the owner of its tables can."""
    with psycopg.connect(identity.access.owner) as connection:
        connection.execute(statement.encode())


async def test_what_identity_puts_on_record_is_found(identity: Identity) -> None:
    await put_on_record(identity, "thing.create", "thing.update")
    await until_chained(identity, 2)
    newest, oldest = await trail(identity)
    assert (oldest.sequence, newest.sequence) == (1, 2)
    assert (newest.action, newest.subject) == ("thing.update", "thing:1")
    assert (newest.actor, newest.network) == (ANA.actor, ANA.network)
    assert (newest.session_id, newest.request_id) == ("session", "request-0001")
    assert newest.journal == "identity"
    assert newest.time == to_timestamp(identity.clock.now())
    assert len(bytes.fromhex(newest.hash)) == 32


@pytest.mark.parametrize(
    ("filter_", "actions"),
    [
        ("actor=user:ben", ["c"]),
        ("action=a", ["a"]),
        ("subject=thing:1 AND action=b", ["b"]),
        ("subject=thing:2", []),
        ("outcome=DONE", ["c", "b", "a"]),
    ],
)
async def test_the_trail_is_searched(identity: Identity, filter_: str, actions: list[str]) -> None:
    await put_on_record(identity, "a", "b")
    await put_on_record(identity, "c", by=BEN)
    await until_chained(identity, 3)
    assert [record.action for record in await trail(identity, filter_)] == actions


async def test_the_trail_is_searched_by_time(identity: Identity) -> None:
    before = identity.clock.now()
    for action in ("a", "b", "c"):
        await put_on_record(identity, action)
        identity.clock.advance(timedelta(seconds=10))
    await until_chained(identity, 3)
    found = await trail(
        identity,
        start=to_timestamp(before + timedelta(seconds=10)),
        end=to_timestamp(before + timedelta(seconds=20)),
    )
    assert [record.action for record in found] == ["b"]
    with refused(Reason.INVALID_TIME_RANGE):
        await trail(identity, start=to_timestamp(identity.clock.now()), end=to_timestamp(before))


async def test_pages_of_the_trail_join_without_a_gap(identity: Identity) -> None:
    await put_on_record(identity, *(f"action-{number}" for number in range(7)))
    await until_chained(identity, 7)
    found, token = list[str](), ""
    while True:
        request = ListAuditRecordsRequest(page_size=3, page_token=token, filter="subject=thing:1")
        metadata = permitted(identity, "audit.read")
        page = await identity.audit.ListAuditRecords(request, metadata=metadata)
        found += [record.action for record in page.records]
        if not (token := page.next_page_token):
            break
    assert found == [f"action-{number}" for number in reversed(range(7))]


async def test_a_search_is_on_record_itself(identity: Identity) -> None:
    await trail(identity, "actor=user:ben")
    await until_chained(identity, 1)
    (record,) = await trail(identity, "action=audit.search")
    assert record.actor == f"user:{STAFF}"
    assert json.loads(record.after) == {"filter": "actor=user:ben"}


@pytest.mark.parametrize("permissions", [(), ("terms.write", "instruments.write")])
async def test_the_trail_is_for_those_who_may_read_it(
    identity: Identity, permissions: tuple[str, ...]
) -> None:
    metadata = permitted(identity, *permissions)
    with refused(Reason.PERMISSION_DENIED):
        await identity.audit.ListAuditRecords(ListAuditRecordsRequest(), metadata=metadata)
    with refused(Reason.PERMISSION_DENIED):
        await identity.audit.CheckAuditTrail(CheckAuditTrailRequest(), metadata=metadata)
    with refused(Reason.UNAUTHENTICATED):
        await identity.audit.ListAuditRecords(ListAuditRecordsRequest())


async def test_a_user_does_not_see_records_on_the_own_channel(identity: Identity) -> None:
    user = await identity.register()
    await put_on_record(identity, "user.ban")
    request = ListEventsRequest(
        journal="identity", subject="audit", on_behalf_of_user_id=user.user_id
    )
    with refused(Reason.UNKNOWN_CHANNEL):
        await identity.journal.ListEvents(request)


# How the trail shows that somebody touched it.


async def test_an_untouched_trail_is_in_order(identity: Identity) -> None:
    await put_on_record(identity, "a", "b", "c")
    await until_chained(identity, 3)
    await seal(identity)
    checked = await check(identity)
    assert (checked.checked, checked.last_sequence, checked.finished) == (3, 3, True)
    assert list(checked.breaks) == []
    assert (await check(identity, after=2)).checked == 1


@pytest.mark.parametrize(
    ("statement", "sequence", "problem"),
    [
        ("UPDATE audit_record SET actor = 'user:x' WHERE sequence = 2", 2, "does not fit"),
        ("UPDATE audit_record SET time = time + interval '1us' WHERE sequence = 2", 2, "not fit"),
        ("UPDATE audit_record SET hash = sha256('x') WHERE sequence = 2", 2, "does not fit"),
        ("DELETE FROM audit_record WHERE sequence = 2", 2, "missing, up to 2"),
        ("DELETE FROM audit_record WHERE sequence = 3", 3, "was sealed, and is missing"),
        ("TRUNCATE audit_record", 3, "was sealed, and is missing"),
        ("UPDATE audit_seal SET signature = sha512('x')", 3, "seal that we did not sign"),
        ("UPDATE audit_seal SET hash = sha256('x')", 3, "is not what was sealed"),
    ],
)
async def test_whatever_is_touched_is_named(
    identity: Identity, statement: str, sequence: int, problem: str
) -> None:
    await put_on_record(identity, "a", "b", "c")
    await until_chained(identity, 3)
    await seal(identity)
    tamper(identity, statement)
    breaks = (await check(identity)).breaks
    assert (sequence, True) in [(found.sequence, problem in found.problem) for found in breaks]


async def test_a_whole_new_chain_does_not_fit_the_old_seals(identity: Identity) -> None:
    await put_on_record(identity, "a", "b")
    await until_chained(identity, 2)
    await seal(identity)
    tamper(identity, "TRUNCATE audit_record")
    tamper(identity, "UPDATE follower_position SET position = 1 WHERE journal = 'identity/audit'")
    await until_chained(identity, 1)
    await put_on_record(identity, "c")
    await until_chained(identity, 2)
    breaks = (await check(identity)).breaks
    assert [(found.sequence, found.problem) for found in breaks] == [(2, "is not what was sealed")]


@pytest.mark.parametrize("table", ["audit_record", "audit_seal", "journal"])
@pytest.mark.parametrize("change", ["UPDATE {} SET time = now()", "DELETE FROM {}", "TRUNCATE {}"])
async def test_the_service_itself_cannot_touch_it(
    identity: Identity, table: str, change: str
) -> None:
    column = {"audit_seal": "sealed_at"}.get(table, "time")
    statement = change.format(table).replace("time =", f"{column} =")
    with (
        psycopg.connect(identity.access.service) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())


async def test_the_command_checks_the_whole_trail(
    identity: Identity,
    identity_keys: Path,
    monkeypatch: pytest.MonkeyPatch,
    run_command: RunCommand,
) -> None:
    monkeypatch.setenv("VERITICK_MODE", "development")
    monkeypatch.setenv("VERITICK_KEYS", str(identity_keys))
    monkeypatch.setenv("VERITICK_DATABASE_URL", identity.access.service)
    monkeypatch.setattr(sys, "argv", ["services.identity", "check-audit-trail"])
    await put_on_record(identity, "a", "b")
    await until_chained(identity, 2)

    ended = await run_command(main)
    assert ended.returncode == 0
    assert "2 records: in order\n" in ended.stdout
    tamper(identity, "UPDATE audit_record SET actor = 'user:x' WHERE sequence = 1")
    ended = await run_command(main)
    assert ended.returncode == 1
    assert "record 1: does not fit" in ended.stdout


# What other services put on record.


@pytest.fixture(params=["quotes", "settlement"])
async def neighbour(
    request: pytest.FixtureRequest,
    kit_databases: Databases,
    identity_keys: Path,
    identity_clock: ManualClock,
) -> AsyncIterator[tuple[str, str, Journal, Database]]:
    """The name of a service, where it is served, and its journal."""
    name = str(request.param)

    async def nobody(*_: object) -> bool:
        return False

    async with Database.from_settings(kit_databases.migrated(), name=name) as database:
        journal = Journal(name, database)
        face = JournalFace({name: journal}, nobody)
        keyring = Keyring.load(identity_keys, name)
        application = Application(keyring, [(add_JournalServiceServicer_to_server, face)])
        settings = ServiceSettings(mode="development", drain_seconds=0)
        async with serving(name, settings, application, identity_clock) as running:
            yield name, running.address, journal, database


async def test_what_other_services_put_on_record_is_stored_once(
    start_identity: StartIdentity, neighbour: tuple[str, str, Journal, Database]
) -> None:
    name, address, journal, database = neighbour
    for started in range(1, 4):
        async with start_identity(**{f"{name}_address": address}) as identity:
            now = identity.clock.now()
            await append(journal, database, *(audited(f"a{n}", "x", now, by=ANA) for n in range(5)))
            await until_chained(identity, 5 * started)
            assert list((await check(identity)).breaks) == []
            rows = identity.rows("SELECT journal, position FROM audit_record ORDER BY sequence")
            assert rows == [(name, number) for number in range(1, 5 * started + 1)]


# What identity itself puts on record.


async def test_who_signs_in_is_on_record(identity: Identity) -> None:
    session = await identity.signed_in()
    await until_chained(identity, 1)
    (record,) = await trail(identity, "action=session.begin")
    assert record.actor == record.subject == f"user:{session.user_id}"
    assert record.session_id == session.session_id
    assert record.network == "127.0.0.0/24"
