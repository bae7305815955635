"""The end of a user: nothing that tells who he was is left, and everything that counts stays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import grpc
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from services.identity.app import password_hasher
from services.identity.document_store import DocumentStore
from services.identity.erasing import Erasing
from services.identity.forgetting import DELETED, KEPT
from services.identity.neighbours import TradingAccounts
from services.identity.parts import Parts
from services.kit.channels import Channels, failure_of
from services.kit.database import Database
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.tokens import USER_AUDIENCE, Keyring
from tests.identity_files import photo
from tests.service.identity_documents import files, ground, hand_in, mine
from tests.service.identity_server import Identity, StartIdentity, Trading, bearer, refused
from tests.waiting import eventually
from veritick.identity.v1.audit_service_pb2 import CheckAuditTrailRequest
from veritick.identity.v1.erasure_admin_service_pb2 import (
    ApproveErasureProposalRequest,
    ListErasureProposalsRequest,
    ProposeErasureRequest,
    RejectErasureProposalRequest,
    WithdrawErasureProposalRequest,
)
from veritick.identity.v1.erasure_admin_service_pb2_grpc import ErasureAdminServiceStub
from veritick.identity.v1.erasure_pb2 import Erasure, ErasureObstacle
from veritick.identity.v1.erasure_service_pb2 import (
    GetErasureRequest,
    GetErasureResponse,
    RequestErasureRequest,
    WithdrawErasureRequest,
)
from veritick.identity.v1.erasure_service_pb2_grpc import ErasureServiceStub
from veritick.identity.v1.profile_service_pb2 import UpdateProfileRequest
from veritick.identity.v1.protection_service_pb2 import ExcludeSelfRequest
from veritick.identity.v1.protection_service_pb2_grpc import ProtectionServiceStub
from veritick.identity.v1.user_note_service_pb2 import WriteUserNoteRequest
from veritick.identity.v1.user_note_service_pb2_grpc import UserNoteServiceStub
from veritick.identity.v1.user_pb2 import Session
from veritick.type.v1.staff_proposal_pb2 import StaffProposal

if TYPE_CHECKING:
    from veritick.identity.v1.erasure_admin_service_pb2_grpc import ErasureAdminServiceAsyncStub
    from veritick.identity.v1.erasure_service_pb2_grpc import ErasureServiceAsyncStub
    from veritick.identity.v1.protection_service_pb2_grpc import ProtectionServiceAsyncStub
    from veritick.identity.v1.user_note_service_pb2_grpc import UserNoteServiceAsyncStub

pytest_plugins = ["tests.service.identity_fixtures"]

EMAIL, WORDS = "ana@example.com", "lives with her brother"
WAIT, PAUSE = timedelta(days=14), timedelta(minutes=1)


@dataclass
class End:
    """An identity with its neighbour, and what erases its users."""

    identity: Identity
    trading: Trading
    erasing: Erasing
    folder: Path
    calls: ErasureServiceAsyncStub
    admin: ErasureAdminServiceAsyncStub
    notes: UserNoteServiceAsyncStub
    protection: ProtectionServiceAsyncStub

    async def newcomer(self) -> Session:
        await self.identity.register(EMAIL)
        return await self.identity.log_in(EMAIL)

    async def ask(self, session: Session) -> Erasure:
        request = RequestErasureRequest()
        return (await self.calls.RequestErasure(request, metadata=mine(session))).erasure

    async def standing(self, session: Session) -> GetErasureResponse:
        return await self.calls.GetErasure(GetErasureRequest(), metadata=mine(session))

    def state(self, user_id: str) -> str:
        [(state,)] = self.identity.rows("SELECT state FROM erasure WHERE user_id = %s", user_id)
        return str(state)

    async def erase(self, user_id: str) -> None:
        """Let the time of an erasure come, and of each of its steps."""
        self.identity.clock.advance(WAIT)

        async def is_done() -> bool:
            await self.erasing.run()
            if self.state(user_id) in {"CLOSING", "CLOSED"}:
                self.identity.clock.advance(PAUSE)
            return self.state(user_id) == "DONE"

        await eventually(is_done)

    def staff(self, *permissions: str) -> tuple[tuple[str, str], ...]:
        claims = {
            "aud": USER_AUDIENCE,
            "sub": str(uuid4()),
            "sid": str(uuid4()),
            "perm": permissions,
            "auth_time": int(self.identity.clock.now().timestamp()),
        }
        now = self.identity.clock.now()
        return bearer(self.identity.keyring.sign(claims, timedelta(minutes=5), now))

    def everything(self) -> str:
        """Return all that the database holds, as text."""
        with psycopg.connect(self.identity.access.owner) as connection:
            tables = connection.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
            ).fetchall()
            return "\n".join(
                str(row)
                for (table,) in tables
                for row in connection.execute(SQL("SELECT * FROM {}").format(Identifier(table)))
            )


@pytest.fixture
async def end(
    start_identity: StartIdentity, identity_trading: Trading, identity_keys: Path, tmp_path: Path
) -> AsyncIterator[End]:
    address = identity_trading.address
    async with (
        start_identity(documents_folder=tmp_path, trading_address=address) as identity,
        identity.anybody() as channel,
        Database.from_settings(identity.settings, name="identity") as database,
        password_hasher(identity.settings) as hasher,
        Channels(Keyring.load(identity_keys, "identity"), identity.clock).to(
            "trading", address
        ) as trading,
    ):
        accounts = TradingAccounts(trading, 5)
        parts = Parts(identity.settings, ground(identity, database), hasher, accounts)
        yield End(
            identity,
            identity_trading,
            parts.erasing,
            tmp_path,
            ErasureServiceStub(channel),
            ErasureAdminServiceStub(channel),
            UserNoteServiceStub(channel),
            ProtectionServiceStub(channel),
        )


async def test_nothing_is_left_that_tells_who_it_was_and_the_trail_holds(end: End) -> None:
    identity = end.identity
    session = await end.newcomer()
    told = UpdateProfileRequest(country_code="PT", birth_date="1987-06-05")
    await identity.profile.UpdateProfile(told, metadata=mine(session))
    await hand_in(identity, session, photo())
    note = WriteUserNoteRequest(user_id=session.user_id, text=WORDS, request_id=str(uuid4()))
    await end.notes.WriteUserNote(note, metadata=end.staff("notes.write"))
    personal, before = (EMAIL, "1987, 6, 5", "'PT'", WORDS, "127.0.0.1"), end.everything()
    assert [each for each in personal if each not in before] == []

    await end.ask(session)
    await identity.letter(EMAIL, "Your account will be erased")
    await end.erase(session.user_id)

    left = end.everything()
    assert [each for each in personal if each in left] == []
    assert session.user_id in left
    assert files(end.folder) == {}
    assert end.trading.closed_for == [session.user_id]
    assert [e.event.user_erased.user_id for e in await identity.events("user.erased.v1")] == [
        session.user_id
    ]

    async def is_on_record() -> bool:
        done = identity.rows("SELECT subject FROM audit_record WHERE action = 'user.erase'")
        return done == [(f"user:{session.user_id}",)]

    await eventually(is_on_record)
    checked = await identity.audit.CheckAuditTrail(
        CheckAuditTrailRequest(), metadata=end.staff("audit.read")
    )
    assert checked.finished
    assert not checked.breaks


async def test_who_is_being_erased_is_out_at_once_and_told_before_he_is_forgotten(
    end: End,
) -> None:
    session = await end.newcomer()
    await end.ask(session)
    end.identity.clock.advance(WAIT)
    session = await end.identity.log_in(EMAIL)
    await end.erasing.run()

    async def is_out() -> bool:
        try:
            await end.standing(session)
        except grpc.aio.AioRpcError as error:
            return failure_of(error).reason is Reason.SESSION_ENDED
        return False

    await eventually(is_out)
    with refused(Reason.USER_BLOCKED):
        await end.identity.log_in(EMAIL)
    assert "last letter" in await end.identity.letter(EMAIL, "Your account is being erased")


async def test_it_can_be_taken_back_while_it_waits(end: End) -> None:
    session = await end.newcomer()
    asked = await end.ask(session)
    assert await end.ask(session) == asked
    assert (await end.standing(session)).erasure == asked
    withdraw = WithdrawErasureRequest()
    taken_back = (await end.calls.WithdrawErasure(withdraw, metadata=mine(session))).erasure
    assert taken_back.state == Erasure.WITHDRAWN
    assert not (await end.standing(session)).HasField("erasure")
    with refused(Reason.ERASURE_NOT_FOUND):
        await end.calls.WithdrawErasure(withdraw, metadata=mine(session))
    end.identity.clock.advance(2 * WAIT)
    await end.erasing.run()
    assert (await end.identity.log_in(EMAIL)).user_id == session.user_id
    await end.identity.letter(EMAIL, "Your account stays")


async def test_while_something_stands_in_the_way_nothing_is_asked_for(end: End) -> None:
    session = await end.newcomer()
    end.trading.obstacles = [ErasureObstacle.OPEN_ORDERS, ErasureObstacle.BALANCE]
    with refused(Reason.ERASURE_OBSTRUCTED) as refusal:
        await end.ask(session)
    assert refusal.metadata == {"obstacles": "BALANCE OPEN_ORDERS"}
    standing = await end.standing(session)
    assert sorted(standing.obstacles) == end.trading.obstacles
    assert standing.wait_hours == 14 * 24


async def test_an_order_that_slips_in_lets_the_user_in_again(end: End) -> None:
    session = await end.newcomer()
    await end.ask(session)
    end.identity.clock.advance(WAIT)
    await end.erasing.run()
    assert end.state(session.user_id) == "CLOSING"
    end.trading.obstacles = [ErasureObstacle.OPEN_ORDERS]
    end.identity.clock.advance(PAUSE)
    await end.erasing.run()
    assert end.state(session.user_id) == "WAITING"
    again = await end.identity.log_in(EMAIL)
    assert list((await end.standing(again)).obstacles) == [ErasureObstacle.OPEN_ORDERS]
    end.trading.obstacles = []
    await end.erase(session.user_id)


async def test_an_outage_only_delays_it(end: End, monkeypatch: pytest.MonkeyPatch) -> None:
    """It breaks off after the key is destroyed, and before the document is."""
    session = await end.newcomer()
    await hand_in(end.identity, session, photo())
    await end.ask(session)
    end.trading.away = True
    end.identity.clock.advance(WAIT)
    await end.erasing.run()
    assert end.state(session.user_id) == "WAITING"
    end.trading.away = False

    away = True
    forget = DocumentStore.forget

    async def forget_if_there(store: DocumentStore, name: str) -> None:
        if away:
            raise Failure(Reason.UNAVAILABLE, "The bucket is away.")
        await forget(store, name)

    monkeypatch.setattr(DocumentStore, "forget", forget_if_there)

    async def is_shredded() -> bool:
        await end.erasing.run()
        if end.state(session.user_id) in {"CLOSING", "CLOSED"}:
            end.identity.clock.advance(PAUSE)
        return end.identity.rows("SELECT 1 FROM user_key") == []

    await eventually(is_shredded)
    assert end.state(session.user_id) == "CLOSED"
    assert files(end.folder)
    away = False
    await end.erase(session.user_id)
    assert files(end.folder) == {}


async def test_an_address_is_free_again_unless_it_was_excluded(end: End) -> None:
    first = await end.newcomer()
    await end.ask(first)
    await end.erase(first.user_id)
    second = await end.newcomer()
    assert second.user_id != first.user_id
    await end.protection.ExcludeSelf(ExcludeSelfRequest(months=6), metadata=mine(second))
    await end.ask(second)
    await end.erase(second.user_id)
    with refused(Reason.EMAIL_TAKEN):
        await end.identity.register(EMAIL.upper())
    end.identity.clock.advance(timedelta(days=184))
    await end.newcomer()


async def test_staff_need_two_and_the_user_can_still_take_it_back(end: End) -> None:
    session = await end.newcomer()
    propose, approve = end.staff("users.erase.propose"), end.staff("users.erase.approve")
    request = ProposeErasureRequest(
        user_id=session.user_id, reason="asked by letter", request_id=str(uuid4())
    )
    proposal = (await end.admin.ProposeErasure(request, metadata=propose)).proposal
    assert not (await end.standing(session)).HasField("erasure")
    approval = ApproveErasureProposalRequest(proposal_id=proposal.proposal_id)
    decided = (await end.admin.ApproveErasureProposal(approval, metadata=approve)).proposal
    waiting = (await end.standing(session)).erasure
    assert (decided.state, decided.result) == (StaffProposal.EXECUTED, waiting.erasure_id)
    assert waiting.by_staff
    listed = await end.admin.ListErasureProposals(
        ListErasureProposalsRequest(filter="state=EXECUTED"), metadata=end.staff("users.read")
    )
    assert list(listed.proposals) == [decided]
    await end.calls.WithdrawErasure(WithdrawErasureRequest(), metadata=mine(session))


async def test_what_staff_proposed_can_be_rejected_and_taken_back(end: End) -> None:
    session = await end.newcomer()
    propose, approve = end.staff("users.erase.propose"), end.staff("users.erase.approve")

    async def proposed() -> str:
        request = ProposeErasureRequest(
            user_id=session.user_id, reason="asked by letter", request_id=str(uuid4())
        )
        return (await end.admin.ProposeErasure(request, metadata=propose)).proposal.proposal_id

    rejection = RejectErasureProposalRequest(proposal_id=await proposed(), note="not him")
    rejected = (await end.admin.RejectErasureProposal(rejection, metadata=approve)).proposal
    withdrawal = WithdrawErasureProposalRequest(proposal_id=await proposed(), note="a mistake")
    with refused(Reason.NOT_PROPOSER):
        await end.admin.WithdrawErasureProposal(
            withdrawal, metadata=end.staff("users.erase.propose")
        )
    withdrawn = (await end.admin.WithdrawErasureProposal(withdrawal, metadata=propose)).proposal
    assert (rejected.state, rejected.decision_note) == (StaffProposal.REJECTED, "not him")
    assert (withdrawn.state, withdrawn.decision_note) == (StaffProposal.WITHDRAWN, "a mistake")
    with refused(Reason.PROPOSAL_NOT_PENDING):
        await end.admin.ApproveErasureProposal(
            ApproveErasureProposalRequest(proposal_id=withdrawn.proposal_id), metadata=approve
        )
    assert not (await end.standing(session)).HasField("erasure")


async def test_who_works_here_has_his_roles_taken_first(end: End) -> None:
    session = await end.newcomer()
    end.identity.rows(
        "UPDATE users SET roles = %s WHERE user_id = %s RETURNING 1",
        ["trader", "support"],
        UUID(session.user_id),
    )
    with refused(Reason.ERASURE_OBSTRUCTED) as refusal:
        await end.ask(session)
    assert refusal.metadata == {"obstacles": "STAFF_ROLE"}


def test_every_table_that_names_users_is_thought_of(end: End) -> None:
    naming = end.identity.rows(
        "SELECT table_name FROM information_schema.columns "
        "WHERE table_schema = 'public' AND column_name = 'user_id' ORDER BY table_name"
    )
    assert [name for (name,) in naming] == sorted({table.name for table in DELETED} | set(KEPT))
