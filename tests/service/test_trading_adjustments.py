"""Adjustments as staff make them: two people, one transfer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
import pytest_asyncio

from services.kit.channels import failure_of
from services.kit.clock import SystemClock
from services.kit.process import Application, serving
from services.kit.reason import Reason
from services.kit.settings import ServiceSettings
from services.kit.tokens import Keyring
from services.local.keys import ensure_keys
from services.trading.app import faces
from services.trading.book import Account
from services.trading.ledger import EntryFilter
from services.trading.posting import EntryKind, SystemAccount
from tests.service.trading_audit_fixtures import Books
from tests.service.trading_fixtures import CHIPS, bench
from tests.stores import Postgres
from veritick.trading.v1 import adjustment_service_pb2 as adjustment_pb
from veritick.trading.v1 import ledger_service_pb2 as ledger_pb
from veritick.trading.v1.adjustment_service_pb2_grpc import AdjustmentServiceStub
from veritick.trading.v1.ledger_service_pb2_grpc import LedgerServiceStub
from veritick.type.v1.money_pb2 import Money
from veritick.type.v1.staff_proposal_pb2 import StaffProposal

PROPOSE, APPROVE, READ = "ledger.adjust.propose", "ledger.adjust.approve", "ledger.read"
Metadata = tuple[tuple[str, str], ...]


@dataclass
class Office:
    """A served book, and the staff who call it."""

    books: Books
    keys: Path
    channel: grpc.aio.Channel

    def __post_init__(self) -> None:
        self.adjustments = AdjustmentServiceStub(self.channel)
        self.ledger = LedgerServiceStub(self.channel)

    def signed_in(self, *permissions: str, person: UUID | None = None) -> Metadata:
        """Return what the calls of a member of staff carry."""
        claims = {"sub": str(person or uuid4()), "aud": "veritick", "perm": permissions}
        keyring = Keyring.load(self.keys, "identity")
        token = keyring.sign(claims, timedelta(minutes=15), SystemClock().now())
        return (("authorization", f"Bearer {token}"),)

    def calling_as(self, service: str) -> Metadata:
        """Return what the calls of a service carry."""
        keyring = Keyring.load(self.keys, service)
        token = keyring.service_token("trading", SystemClock().now())
        return (("authorization", f"Bearer {token}"),)

    async def propose(
        self, account: Account, minor_units: int, who: Metadata | None = None, **changes: Any
    ) -> adjustment_pb.Adjustment:
        """Propose to correct a balance."""
        fields: dict[str, Any] = {
            "request_id": str(uuid4()),
            "account_id": f"demo_{account.account_id}",
            "amount": Money(currency_code="USD", minor_units=minor_units),
            "reason": "a deposit that was credited twice",
        }
        request = adjustment_pb.ProposeAdjustmentRequest(**(fields | changes))
        answer = await self.adjustments.ProposeAdjustment(
            request, metadata=who or self.signed_in(PROPOSE)
        )
        made: adjustment_pb.Adjustment = answer.adjustment
        return made

    async def approve(
        self, adjustment: adjustment_pb.Adjustment, who: Metadata | None = None
    ) -> adjustment_pb.Adjustment:
        """Approve it, as somebody else."""
        request = adjustment_pb.ApproveAdjustmentRequest(adjustment_id=adjustment.adjustment_id)
        answer = await self.adjustments.ApproveAdjustment(
            request, metadata=who or self.signed_in(APPROVE)
        )
        made: adjustment_pb.Adjustment = answer.adjustment
        return made


@asynccontextmanager
async def office_of(books: Books, keys: Path) -> AsyncIterator[Office]:
    ensure_keys(keys)
    keyring = Keyring.load(keys, "trading")
    application = Application(
        keyring=keyring,
        faces=faces({"demo": books.demo.desk}, keyring, {"demo": books.auditor()}),
    )
    settings = ServiceSettings(mode="development")
    async with (
        serving("trading", settings, application) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        yield Office(books, keys, channel)


@pytest_asyncio.fixture
async def office(postgres: Postgres, tmp_path: Path) -> AsyncIterator[Office]:
    async with bench(postgres) as demo, office_of(Books(demo), tmp_path) as office:
        yield office
        # Whatever a test did, the book is in order.
        report = await office.books.audit(full=True)
        assert report.findings == []


async def refusal(call: Awaitable[Any]) -> Reason:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return failure_of(refused.value).reason


async def test_an_approved_adjustment_is_a_transfer_like_any_other(office: Office) -> None:
    account = await office.books.demo.account()
    pending = await office.propose(account, -2_500)
    assert pending.proposal.state == StaffProposal.PENDING
    assert (await office.books.demo.now(account)).posted == CHIPS
    done = await office.approve(pending)
    assert done.proposal.state == StaffProposal.EXECUTED
    assert (await office.books.demo.now(account)).posted == CHIPS - 2_500
    balances = await office.books.demo.trial_balance()
    assert balances[SystemAccount.ADJUSTMENT] == 2_500
    found = await office.ledger.GetTransfer(
        ledger_pb.GetTransferRequest(transfer_id=done.proposal.result),
        metadata=office.signed_in(READ),
    )
    assert found.transfer.request_id == done.adjustment_id.removeprefix("demo_")
    assert found.transfer.note == "a deposit that was credited twice"
    assert found.transfer.system_account == ledger_pb.ADJUSTMENT
    desk = office.books.demo.desk
    (line, *_) = await desk.ledger.statement(account.account_id, EntryFilter(), 2**62, 5)
    assert (line.kind, line.amount) == (EntryKind.ADJUSTMENT, -2_500)


async def test_an_approval_that_is_repeated_moves_nothing_again(office: Office) -> None:
    account = await office.books.demo.account()
    pending, boss = await office.propose(account, 700), office.signed_in(APPROVE)
    first = await office.approve(pending, boss)
    assert await office.approve(pending, boss) == first
    assert (await office.books.demo.now(account)).posted == CHIPS + 700


async def test_one_person_alone_corrects_nothing(office: Office) -> None:
    account = await office.books.demo.account()
    ana = office.signed_in(PROPOSE, APPROVE, person=uuid4())
    pending = await office.propose(account, 700, ana)
    assert await refusal(office.approve(pending, ana)) is Reason.SAME_PERSON
    for who in (office.signed_in(PROPOSE), office.signed_in(READ), office.signed_in()):
        assert await refusal(office.approve(pending, who)) is Reason.PERMISSION_DENIED
    for who in (office.signed_in(APPROVE), office.signed_in()):
        assert await refusal(office.propose(account, 1, who)) is Reason.PERMISSION_DENIED
    assert (await office.books.demo.now(account)).posted == CHIPS


@pytest.mark.parametrize("service", ["operator", "settlement"])
async def test_no_service_proposes_or_approves(office: Office, service: str) -> None:
    who, account = office.calling_as(service), await office.books.demo.account()
    assert await refusal(office.propose(account, 1, who)) is Reason.PERMISSION_DENIED
    pending = await office.propose(account, 1)
    assert await refusal(office.approve(pending, who)) is Reason.PERMISSION_DENIED


async def test_what_is_rejected_moves_nothing(office: Office) -> None:
    account = await office.books.demo.account()
    pending = await office.propose(account, 700)
    request = adjustment_pb.RejectAdjustmentRequest(
        adjustment_id=pending.adjustment_id, note="no such deposit"
    )
    answer = await office.adjustments.RejectAdjustment(request, metadata=office.signed_in(APPROVE))
    assert answer.adjustment.proposal.state == StaffProposal.REJECTED
    assert answer.adjustment.proposal.decision_note == "no such deposit"
    assert await refusal(office.approve(pending)) is Reason.PROPOSAL_NOT_PENDING
    assert (await office.books.demo.now(account)).posted == CHIPS


async def test_what_the_account_cannot_pay_fails_and_says_why(office: Office) -> None:
    account = await office.books.demo.account()
    failed = await office.approve(await office.propose(account, -CHIPS - 1))
    assert failed.proposal.state == StaffProposal.FAILED
    assert failed.proposal.result.startswith("INSUFFICIENT_FUNDS")
    assert (await office.books.demo.now(account)).posted == CHIPS


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": Money(currency_code="EUR", minor_units=5)}, Reason.CURRENCY_MISMATCH),
        ({"amount": Money(currency_code="USD", minor_units=0)}, Reason.INVALID_TRANSFER),
        ({"account_id": f"demo_{uuid4()}"}, Reason.ACCOUNT_NOT_FOUND),
        ({"account_id": f"real_{uuid4()}"}, Reason.ACCOUNT_NOT_FOUND),
        ({"reason": ""}, Reason.INVALID_REQUEST),
        ({"reason": "oops"}, Reason.INVALID_REQUEST),
    ],
)
async def test_what_could_never_be_carried_out_is_not_proposed(
    office: Office, changes: dict[str, Any], reason: Reason
) -> None:
    account = await office.books.demo.account()
    assert await refusal(office.propose(account, 700, **changes)) is reason


@pytest.mark.parametrize(
    ("state", "moved"), [(2, True), (3, False)], ids=["a frozen account", "a closed one"]
)
async def test_a_frozen_account_can_be_put_right_a_closed_one_not(
    office: Office, state: int, moved: bool
) -> None:
    account = await office.books.demo.account()
    pending = await office.propose(account, 700)
    office.books.tamper("UPDATE account SET state = %(state)s", state=state)
    done = await office.approve(pending)
    assert (done.proposal.state == StaffProposal.EXECUTED) is moved
    assert (await office.books.demo.now(account)).posted == CHIPS + (700 if moved else 0)


async def test_adjustments_are_listed_and_shown_to_who_reads_the_ledger(office: Office) -> None:
    account = await office.books.demo.account()
    made = [await office.propose(account, amount) for amount in (1, 2, 3)]
    await office.approve(made[1])
    reader = office.signed_in(READ)

    async def listed(**changes: Any) -> adjustment_pb.ListAdjustmentsResponse:
        request = adjustment_pb.ListAdjustmentsRequest(book="demo", **changes)
        answer = await office.adjustments.ListAdjustments(request, metadata=reader)
        assert isinstance(answer, adjustment_pb.ListAdjustmentsResponse)
        return answer

    first = await listed(page_size=2)
    second = await listed(page_size=2, page_token=first.next_page_token)
    shown = [item.amount.minor_units for item in (*first.adjustments, *second.adjustments)]
    assert shown == [3, 2, 1]
    assert not second.next_page_token
    pending = await listed(filter="state=PENDING")
    assert [item.amount.minor_units for item in pending.adjustments] == [3, 1]
    get = adjustment_pb.GetAdjustmentRequest(adjustment_id=made[0].adjustment_id)
    answer = await office.adjustments.GetAdjustment(get, metadata=reader)
    assert answer.adjustment == made[0]
    assert await refusal(listed(filter="state=LOST")) is Reason.INVALID_FILTER


@pytest.mark.parametrize("system", [ledger_pb.ESCROW, ledger_pb.ADJUSTMENT])
async def test_no_service_reaches_escrow_or_adjusts(
    office: Office, system: ledger_pb.SystemAccount.ValueType
) -> None:
    account, who = await office.books.demo.account(), office.calling_as("operator")
    fields: dict[str, Any] = {
        "request_id": str(uuid4()),
        "account_id": f"demo_{account.account_id}",
        "system_account": system,
        "amount": Money(currency_code="USD", minor_units=1),
    }
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: office.ledger.Transfer(ledger_pb.TransferRequest(**fields), metadata=who),
        lambda: office.ledger.Hold(ledger_pb.HoldRequest(**fields), metadata=who),
    ]
    for call in calls:
        assert await refusal(call()) is Reason.INVALID_TRANSFER
