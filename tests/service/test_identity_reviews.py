"""Documents of users: looked at on record, and decided on by others."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from services.identity.document_store import DocumentStore, folder_store
from services.identity.reviewing import Reviewing
from services.identity.user_keys import UserKeys
from services.identity.vault import Vault
from services.kit.database import Database
from services.kit.reason import Reason
from tests.identity_files import photo
from tests.service.identity_documents import (
    REVIEWER,
    approve,
    begin,
    ground,
    hand_in,
    mine,
    on_record,
    read,
    reviewer,
    standing,
    told,
)
from tests.service.identity_server import Identity, StartIdentity, refused
from veritick.event.v1.event_pb2 import Event
from veritick.identity.v1.kyc_document_pb2 import KycDocument, KycLevel
from veritick.identity.v1.kyc_service_pb2 import (
    ApproveDocumentRequest,
    ListDocumentsForReviewRequest,
    ReadDocumentRequest,
    RejectDocumentRequest,
)

pytest_plugins = ["tests.service.identity_fixtures"]


@pytest.fixture
async def desk(start_identity: StartIdentity, tmp_path: Path) -> AsyncIterator[Identity]:
    """An identity that keeps documents in a folder."""
    async with start_identity(documents_folder=tmp_path) as identity:
        yield identity


async def test_the_queue_holds_what_waits_oldest_first(desk: Identity) -> None:
    session = await desk.signed_in()
    handed_in = [(await hand_in(desk, session, photo())).document_id for _ in range(3)]
    await approve(desk, handed_in[0])
    await read(desk, handed_in[2])
    await begin(desk, session, 100, KycDocument.IDENTITY)

    async def queue(filter_: str = "") -> list[str]:
        request = ListDocumentsForReviewRequest(filter=filter_)
        answer = await desk.kyc.ListDocumentsForReview(request, metadata=reviewer(desk))
        return [document.document_id for document in answer.documents]

    assert await queue() == handed_in[1:]
    assert await queue("state=APPROVED") == handed_in[:1]
    assert await queue("state=IN_REVIEW") == handed_in[2:]
    for unknown in ("state=LOST", "userId=somebody"):
        with refused(Reason.INVALID_FILTER):
            await queue(unknown)


async def test_all_documents_of_a_user_are_found_by_whose_they_are(desk: Identity) -> None:
    first, second = await desk.signed_in(), await desk.signed_in()
    approved, waiting = [(await hand_in(desk, first, photo())).document_id for _ in range(2)]
    await approve(desk, approved)
    await hand_in(desk, second, photo())

    async def found(filter_: str) -> list[str]:
        request = ListDocumentsForReviewRequest(filter=filter_)
        answer = await desk.kyc.ListDocumentsForReview(request, metadata=reviewer(desk))
        return [document.document_id for document in answer.documents]

    assert await found(f"userId={first.user_id}") == [approved, waiting]
    assert await found(f"userId={first.user_id} AND state=APPROVED") == [approved]


async def test_every_read_and_decision_is_on_record(desk: Identity) -> None:
    session = await desk.signed_in()
    document = await hand_in(desk, session, photo())
    for _ in range(2):
        await read(desk, document.document_id)
    request = RejectDocumentRequest(
        document_id=document.document_id, rejection=KycDocument.UNREADABLE
    )
    await desk.kyc.RejectDocument(request, metadata=reviewer(desk))
    who = f"user:{REVIEWER}"
    expected = [(who, "kyc.read"), (who, "kyc.read"), (who, "kyc.reject")]
    assert await on_record(desk) == expected
    entries = await desk.events("audit.recorded.v1")
    last = Event.FromString(entries[-1].event.SerializeToString()).audit_recorded.record
    assert last.subject == f"user:{session.user_id}"
    assert json.loads(last.before) == {"state": "IN_REVIEW"}
    assert json.loads(last.after)["rejection"] == "UNREADABLE"


async def test_a_decision_follows_a_look_and_stands(desk: Identity) -> None:
    session = await desk.signed_in()
    document = await hand_in(desk, session, photo())
    approval = ApproveDocumentRequest(document_id=document.document_id)
    with refused(Reason.DOCUMENT_STATE_CONFLICT) as unseen:
        await desk.kyc.ApproveDocument(approval, metadata=reviewer(desk))
    assert unseen.metadata == {"state": "UPLOADED"}
    await approve(desk, document.document_id)
    with refused(Reason.DOCUMENT_STATE_CONFLICT):
        await desk.kyc.ApproveDocument(approval, metadata=reviewer(desk))
    rejection = RejectDocumentRequest(
        document_id=document.document_id, rejection=KycDocument.FORGED
    )
    with refused(Reason.DOCUMENT_STATE_CONFLICT):
        await desk.kyc.RejectDocument(rejection, metadata=reviewer(desk))


async def test_nobody_reviews_the_own_documents(desk: Identity) -> None:
    session = await desk.signed_in()
    document = await hand_in(desk, session, photo())
    with refused(Reason.SAME_PERSON):
        await read(desk, document.document_id, session.user_id)


async def test_a_trader_reviews_nothing(desk: Identity) -> None:
    session = await desk.signed_in()
    document = await hand_in(desk, session, photo())
    with refused(Reason.PERMISSION_DENIED):
        request = ReadDocumentRequest(document_id=document.document_id)
        await desk.kyc.ReadDocument(request, metadata=mine(session))


async def test_levels_follow_documents_and_their_expiry(desk: Identity, tmp_path: Path) -> None:
    session = await desk.signed_in()

    async def level() -> str:
        return KycLevel.Name((await standing(desk, session)).level)

    assert await level() == "NONE"
    desk.rows("UPDATE users SET email_confirmed_at = registered_at RETURNING 1")
    assert await level() == "BASIC"
    for kind in (KycDocument.IDENTITY, KycDocument.ADDRESS):
        document = await hand_in(desk, session, photo(), kind)
        await approve(desk, document.document_id, lasts=timedelta(minutes=5))
    assert await level() == "VERIFIED"
    desk.clock.advance(timedelta(minutes=5))
    async with Database.from_settings(desk.settings, name="expiry") as database:
        base = ground(desk, database)
        keys, store = UserKeys(base, Vault([bytes(32)])), DocumentStore(folder_store(tmp_path))
        await Reviewing(base, keys=keys, store=store).expire()
    assert await level() == "BASIC"
    assert (await on_record(desk))[-1] == ("service:identity", "kyc.expire")
    assert (await told(desk))[-2:] == ["EXPIRED", "EXPIRED"]


async def test_what_has_expired_already_is_not_approved(desk: Identity) -> None:
    document = await hand_in(desk, await desk.signed_in(), photo())
    with refused(Reason.INVALID_TIME_RANGE):
        await approve(desk, document.document_id, lasts=timedelta(0))
