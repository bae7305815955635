"""The ledger and the auditor as other services and operators call them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import psycopg
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.kit.audit import AUDIT_SUBJECT
from services.kit.channels import Channels, failure_of
from services.kit.clock import SystemClock
from services.kit.process import Application, serving
from services.kit.reason import Reason
from services.kit.settings import ServiceSettings
from services.kit.tokens import USER_AUDIENCE, Keyring
from services.kit.wire import to_timestamp
from services.local.keys import ensure_keys
from services.trading.app import faces
from services.trading.audit import Fixing, Point
from services.trading.heads import LedgerHeads, Signing
from services.trading.holding import HoldState
from services.trading.posting import SystemAccount
from services.trading.wire import terms_message
from tests.service.trading_audit_fixtures import Books, Record
from tests.service.trading_fixtures import CHIPS, bench
from tests.stores import Postgres
from tests.waiting import PATIENCE_SECONDS, eventually
from veritick.event.v1.event_pb2 import Event
from veritick.identity.v1.audit_record_pb2 import AuditRecord
from veritick.proof.canonical import time_text
from veritick.proof.known import Known
from veritick.proof.ledger import USER, Ledger, Located
from veritick.proof.seals import head_text
from veritick.trading.v1 import audit_service_pb2 as audit_pb
from veritick.trading.v1 import ledger_service_pb2 as ledger_pb
from veritick.trading.v1.audit_service_pb2_grpc import AuditServiceStub
from veritick.trading.v1.ledger_service_pb2_grpc import LedgerServiceStub
from veritick.trading.v1.terms_pb2 import Terms
from veritick.trading.v1.terms_service_pb2 import UpdateTermsRequest
from veritick.trading.v1.terms_service_pb2_grpc import TermsServiceStub
from veritick.type.v1.money_pb2 import Money


@pytest_asyncio.fixture
async def books(postgres: Postgres) -> AsyncIterator[Books]:
    async with bench(postgres) as demo:
        yield Books(demo)


@asynccontextmanager
async def called_by(caller: str, books: Books, keys: Path) -> AsyncIterator[grpc.aio.Channel]:
    """Serve the book, and lend a channel on which a service calls it."""
    ensure_keys(keys)
    keyring = Keyring.load(keys, "trading")
    application = Application(
        keyring=keyring,
        faces=faces({"demo": books.demo.desk}, keyring, {"demo": books.auditor()}),
    )
    settings = ServiceSettings(mode="development")
    async with serving("trading", settings, application) as running:
        channels = Channels(
            Keyring.load(keys, caller), SystemClock(), deadline_seconds=PATIENCE_SECONDS
        )
        async with channels.to("trading", running.address) as channel:
            yield channel


def dollars(minor_units: int) -> Money:
    return Money(currency_code="USD", minor_units=minor_units)


async def refusal(call: Any) -> Reason:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return failure_of(refused.value).reason


async def test_a_withdrawal_is_held_and_posted(books: Books, tmp_path: Path) -> None:
    account = await books.demo.account()
    account_id = f"demo_{account.account_id}"
    async with called_by("operator", books, tmp_path) as channel:
        ledger = LedgerServiceStub(channel)
        asked = ledger_pb.HoldRequest(
            request_id=str(uuid4()),
            account_id=account_id,
            system_account=ledger_pb.CLEARING,
            amount=dollars(1_500),
            note="a withdrawal",
        )
        held = await ledger.Hold(asked)
        again = await ledger.Hold(asked)
        assert (held.replay, again.replay) == (False, True)
        assert held.hold == again.hold
        assert held.hold.state == ledger_pb.Hold.PENDING
        assert not held.hold.HasField("expire_time")
        end = ledger_pb.PostHoldRequest(request_id=str(uuid4()), hold_id=held.hold.hold_id)
        posted = (await ledger.PostHold(end)).hold
        found = await ledger.GetTransfer(
            ledger_pb.GetTransferRequest(account_id=account_id, request_id=end.request_id)
        )
        assert found.transfer.transfer_id == posted.transfer_id
        assert found.transfer.amount == dollars(-1_500)
        assert found.transfer.balance == dollars(CHIPS - 1_500)
        assert found.transfer.note == "a withdrawal"
        by_id = ledger_pb.GetTransferRequest(transfer_id=posted.transfer_id)
        assert await ledger.GetTransfer(by_id) == found
        void = ledger_pb.VoidHoldRequest(request_id=str(uuid4()), hold_id=held.hold.hold_id)
        assert await refusal(ledger.VoidHold(void)) is Reason.HOLD_NOT_PENDING


async def test_what_is_not_there_is_not_found(books: Books, tmp_path: Path) -> None:
    missing = f"demo_{uuid4()}"
    async with called_by("operator", books, tmp_path) as channel:
        ledger = LedgerServiceStub(channel)
        get = ledger_pb.GetTransferRequest
        assert await refusal(ledger.GetTransfer(get())) is Reason.INVALID_REQUEST
        for asked in (
            get(transfer_id=missing),
            get(transfer_id=missing.replace("demo", "real")),
            get(account_id=missing, request_id=str(uuid4())),
        ):
            assert await refusal(ledger.GetTransfer(asked)) is Reason.TRANSFER_NOT_FOUND
        balance = ledger_pb.GetBalanceRequest(
            account_id=missing, time=to_timestamp(books.demo.market.clock.now())
        )
        assert await refusal(ledger.GetBalance(balance)) is Reason.ACCOUNT_NOT_FOUND


async def test_balances_are_told_for_a_moment_and_a_currency(books: Books, tmp_path: Path) -> None:
    account = await books.demo.account()
    opened = books.demo.market.clock.now()
    books.demo.market.clock.advance(timedelta(seconds=1))
    await books.move(account, -100)
    async with called_by("operator", books, tmp_path) as channel:
        ledger = LedgerServiceStub(channel)
        request = ledger_pb.GetBalanceRequest(
            account_id=f"demo_{account.account_id}", time=to_timestamp(opened)
        )
        assert (await ledger.GetBalance(request)).balance == dollars(CHIPS)
        everything = ledger_pb.GetTrialBalanceRequest(book="demo")
        lines = (await ledger.GetTrialBalance(everything)).lines
        assert sorted((line.system_account, line.balance.minor_units) for line in lines) == [
            (ledger_pb.SYSTEM_ACCOUNT_UNSPECIFIED, CHIPS - 100),
            (ledger_pb.ISSUE, -CHIPS),
            (ledger_pb.CLEARING, 100),
        ]
        euros = ledger_pb.GetTrialBalanceRequest(book="demo", currency_code="EUR")
        assert not (await ledger.GetTrialBalance(euros)).lines


async def audited(
    channel: grpc.aio.Channel, book: str = "demo", *, full: bool = False
) -> tuple[list[audit_pb.AuditProgress], audit_pb.AuditReport]:
    """Have a book audited; return what was told meanwhile, and the report at the end."""
    request = audit_pb.AuditBookRequest(book=book, full=full)
    call: Any = AuditServiceStub(channel).AuditBook(request)
    steps = [step async for step in call]
    assert [step.WhichOneof("step") for step in steps[:-1]] == ["progress"] * (len(steps) - 1)
    return [step.progress for step in steps[:-1]], steps[-1].report


async def test_an_operator_has_a_book_audited(books: Books, tmp_path: Path) -> None:
    await books.be_busy()
    async with called_by("operator", books, tmp_path) as channel:
        _, first = await audited(channel)
        assert (first.findings_count, first.entries_checked) == (0, 37)
        assert not first.unchecked
        books.tamper("UPDATE seal SET time = time + interval '1 s' WHERE seal_id = 5")
        _, full = await audited(channel, full=True)
        assert [(item.invariant, item.table, item.row) for item in full.findings] == [
            ("I7", "seal", "5")
        ]
        assert await refusal(audited(channel, "nosuch")) is Reason.BOOK_NOT_FOUND


class Hesitating(Record):
    """Quotes that wait until they are told to answer."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.answer = asyncio.Event(), asyncio.Event()

    async def fixings(self, points: Sequence[Point]) -> list[Fixing | None]:
        self.asked.set()
        await self.answer.wait()
        return await super().fixings(points)


async def test_an_audit_that_takes_its_time_tells_how_far_it_is(
    books: Books, tmp_path: Path
) -> None:
    record = Hesitating()
    books.use(record)
    await books.be_busy()
    async with called_by("operator", books, tmp_path) as channel:
        call: Any = AuditServiceStub(channel).AuditBook(audit_pb.AuditBookRequest(book="demo"))
        first = await call.read()
        assert (first.progress.entries_checked, first.progress.entries_total) == (0, 37)
        record.answer.set()
        steps = [step async for step in call]
        assert steps[-1].report.entries_checked == 37


async def test_who_hangs_up_ends_the_audit(books: Books, tmp_path: Path) -> None:
    record = Hesitating()
    books.use(record)
    await books.be_busy()
    reading = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
    reading += " AND datname = current_database()"
    async with called_by("operator", books, tmp_path) as channel:
        call: Any = AuditServiceStub(channel).AuditBook(audit_pb.AuditBookRequest(book="demo"))
        await call.read()
        await record.asked.wait()
        call.cancel()
        await eventually(lambda: books.tamper(reading) == [(0,)])


async def test_other_services_have_no_book_audited(books: Books, tmp_path: Path) -> None:
    async with called_by("settlement", books, tmp_path) as channel:
        assert await refusal(audited(channel)) is Reason.PERMISSION_DENIED


async def test_the_head_is_signed_when_the_ledger_has_grown_and_listed(
    books: Books, tmp_path: Path
) -> None:
    ensure_keys(tmp_path)
    heads = LedgerHeads(books.demo.desk.book.database)
    keyring = Keyring.load(tmp_path, "trading")
    signing = Signing("demo", heads, keyring, books.demo.desk.market.now)
    await signing.run()  # there is nothing to sign yet
    for _ in range(2):
        await books.be_busy()
        for _ in range(2):  # the second time nothing has grown
            await signing.run()
    async with called_by("operator", books, tmp_path) as channel:
        audits = AuditServiceStub(channel)
        both = audit_pb.ListLedgerHeadsRequest(book="demo")
        first, second = (await audits.ListLedgerHeads(both)).heads
        page = audit_pb.ListLedgerHeadsRequest(book="demo", page_size=1)
        assert list((await audits.ListLedgerHeads(page)).heads) == [first]
        page.after = first.seal_id
        assert list((await audits.ListLedgerHeads(page)).heads) == [second]
        page.after = second.seal_id
        assert not (await audits.ListLedgerHeads(page)).heads
        now = (await audits.GetLedgerHead(audit_pb.GetLedgerHeadRequest(book="demo"))).head
    assert (first.last_entry_id, second.last_entry_id) == (37, 74)
    assert (second.seal_id, second.hash, second.key_id) == (now.seal_id, now.hash, now.key_id)
    for head in (first, second):
        key = Ed25519PublicKey.from_public_bytes(head.public_key)
        key.verify(head.signature, head_text(head, time_text(head.sign_time)).encode())


async def test_a_signed_head_cannot_be_taken_back(books: Books, tmp_path: Path) -> None:
    ensure_keys(tmp_path)
    heads = LedgerHeads(books.demo.desk.book.database)
    await books.be_busy()
    keyring = Keyring.load(tmp_path, "trading")
    await Signing("demo", heads, keyring, books.demo.desk.market.now).run()
    for statement in ("DELETE FROM ledger_head", "UPDATE ledger_head SET hash = hash"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with books.demo.desk.book.database.raw() as connection:
                await connection.execute(statement.encode())


async def test_the_ledger_is_handed_out_for_others_to_check(books: Books, tmp_path: Path) -> None:
    await books.be_busy()
    async with called_by("operator", books, tmp_path) as channel:
        audits = AuditServiceStub(channel)
        head = (await audits.GetLedgerHead(audit_pb.GetLedgerHeadRequest(book="demo"))).head
        theirs = Ledger("demo", Known())
        while theirs.seal_id < head.seal_id:
            asked = audit_pb.ListSealsRequest(book="demo", after=theirs.seal_id, page_size=7)
            page = (await audits.ListSeals(asked)).seals
            assert 0 < len(page) <= 7
            for item in page:
                lines = [Located(0, entry) for entry in item.entries]
                assert list(theirs.seal(0, item.seal, lines)) == []
        end = audit_pb.ListSealsRequest(book="demo", after=theirs.seal_id)
        assert not (await audits.ListSeals(end)).seals
        assert (theirs.hash, theirs.entries) == (head.hash, head.last_entry_id)
        assert theirs.open_orders == 3
        key = Ed25519PublicKey.from_public_bytes(head.public_key)
        key.verify(head.signature, head_text(head, time_text(head.sign_time)).encode())
    balances = await books.demo.trial_balance()
    users = balances.pop(0)
    assert sum(theirs.balances.values()) == users
    assert {name: balance for (name, _), balance in theirs.system.items() if balance} == {
        USER: users,
        **{SystemAccount(number).name: balance for number, balance in balances.items()},
    }


async def test_a_ledger_without_entries_has_a_head(books: Books, tmp_path: Path) -> None:
    async with called_by("operator", books, tmp_path) as channel:
        audits = AuditServiceStub(channel)
        head = (await audits.GetLedgerHead(audit_pb.GetLedgerHeadRequest(book="demo"))).head
        assert (head.seal_id, head.last_entry_id, head.hash) == (0, 0, "0" * 64)
    async with called_by("settlement", books, tmp_path) as channel:
        asked = AuditServiceStub(channel).ListSeals(audit_pb.ListSealsRequest(book="demo"))
        assert await refusal(asked) is Reason.PERMISSION_DENIED


async def on_record(books: Books) -> list[AuditRecord]:
    entries = await books.demo.desk.journal.read_subject(AUDIT_SUBJECT, 0, 100)
    return [Event.FromString(entry.payload).audit_recorded.record for entry in entries]


async def test_money_that_a_person_moves_is_on_record(books: Books, tmp_path: Path) -> None:
    account = await books.demo.account()
    account_id = f"demo_{account.account_id}"
    asked = ledger_pb.TransferRequest(
        request_id=str(uuid4()),
        account_id=account_id,
        system_account=ledger_pb.CLEARING,
        amount=dollars(-700),
        note="a mistake of ours",
    )
    async with called_by("operator", books, tmp_path) as channel:
        for _ in range(2):
            await LedgerServiceStub(channel).Transfer(asked)
    (record,) = await on_record(books)
    assert (record.actor, record.action) == ("service:operator", "ledger.transfer")
    assert (record.subject, record.reason) == (f"account:{account_id}", "a mistake of ours")
    assert json.loads(record.before)["posted"] == CHIPS
    assert json.loads(record.after)["posted"] == CHIPS - 700


async def test_a_hold_and_its_end_are_on_record(books: Books, tmp_path: Path) -> None:
    account_id = f"demo_{(await books.demo.account()).account_id}"
    async with called_by("operator", books, tmp_path) as channel:
        ledger = LedgerServiceStub(channel)
        for end in (HoldState.POSTED, HoldState.VOIDED):
            held = await ledger.Hold(
                ledger_pb.HoldRequest(
                    request_id=str(uuid4()),
                    account_id=account_id,
                    system_account=ledger_pb.CLEARING,
                    amount=dollars(100),
                )
            )
            names = {"hold_id": held.hold.hold_id, "request_id": str(uuid4())}
            if end is HoldState.POSTED:
                await ledger.PostHold(ledger_pb.PostHoldRequest(**names))
            else:
                await ledger.VoidHold(ledger_pb.VoidHoldRequest(**names))
    actions = [record.action for record in await on_record(books)]
    assert actions == ["ledger.hold", "ledger.post", "ledger.hold", "ledger.void"]


async def test_terms_that_staff_set_are_on_record_and_those_of_a_rule_are_not(
    books: Books, tmp_path: Path
) -> None:
    assert await on_record(books) == [], "the first terms are a rule's"
    (terms,) = await books.demo.desk.terms.current("BTCUSD", "", 1)
    ensure_keys(tmp_path)
    clock = SystemClock()
    claims = {"aud": USER_AUDIENCE, "sub": str(uuid4()), "sid": "s", "perm": ["terms.write"]}
    token = Keyring.load(tmp_path, "identity").sign(claims, timedelta(minutes=5), clock.now())
    async with called_by("operator", books, tmp_path) as channel:
        wanted = terms_message(terms._replace(open_orders_max=7))
        await TermsServiceStub(channel).UpdateTerms(
            UpdateTermsRequest(book="demo", terms=wanted),
            metadata=(("authorization", f"Bearer {token}"),),
        )
    (record,) = await on_record(books)
    assert (record.actor, record.action) == (f"user:{claims['sub']}", "terms.update")
    assert record.subject == "instrument:BTCUSD"
    assert json.loads(record.before)["open_orders_max"] == terms.open_orders_max
    assert json.loads(record.after)["open_orders_max"] == 7


async def test_terms_that_would_bring_a_book_down_are_refused(books: Books, tmp_path: Path) -> None:
    """A grid of no minutes has no next moment, and no order is bought in two currencies."""
    (terms,) = await books.demo.desk.terms.current("BTCUSD", "", 1)
    async with called_by("operator", books, tmp_path) as channel:
        for field, wrong in (
            ("terms.expiry_grid_minutes[4]", Terms(expiry_grid_minutes=[0])),
            ("terms.stake_max", Terms(stake_max=Money(currency_code="EUR", minor_units=500))),
            ("terms.stake_min", Terms(stake_min=dollars(-5))),
        ):
            asked = UpdateTermsRequest(book="demo", terms=terms_message(terms))
            asked.terms.MergeFrom(wrong)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await TermsServiceStub(channel).UpdateTerms(asked)
            failure = failure_of(refused.value)
            assert failure.reason is Reason.INVALID_REQUEST
            assert [item.field for item in failure.violations] == [field]
    assert await books.demo.desk.terms.current("BTCUSD", "", 1) == [terms]
