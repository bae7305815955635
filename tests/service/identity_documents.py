"""What the tests of documents do again and again."""

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from google.api.httpbody_pb2 import HttpBody

from services.identity.document_store import DocumentStore
from services.identity.ground import Ground
from services.identity.inspector import Inspector
from services.identity.uploading import Uploading
from services.identity.user_keys import UserKeys
from services.identity.vault import Vault
from services.kit.database import Database
from services.kit.ids import uuid7
from services.kit.journal import Journal
from services.kit.tokens import USER_AUDIENCE
from services.kit.wire import to_timestamp
from tests.service.identity_server import Identity, bearer
from veritick.identity.v1.kyc_document_pb2 import KycDocument
from veritick.identity.v1.kyc_service_pb2 import (
    ApproveDocumentRequest,
    CompleteDocumentRequest,
    CreateDocumentRequest,
    ListDocumentsRequest,
    ListDocumentsResponse,
    ReadDocumentRequest,
    UploadDocumentPartRequest,
)
from veritick.identity.v1.user_pb2 import Session

DAY = timedelta(days=1)
REVIEWER = "0199a1b2-0000-7000-8000-0000000000ff"
PART = 1024 * 1024


def reviewer(identity: Identity, user: str = REVIEWER) -> tuple[tuple[str, str], ...]:
    claims = {"aud": USER_AUDIENCE, "sub": user, "sid": str(uuid4()), "perm": ["kyc.review"]}
    return bearer(identity.keyring.sign(claims, timedelta(minutes=5), identity.clock.now()))


def mine(session: Session) -> tuple[tuple[str, str], ...]:
    return bearer(session.access_token)


async def begin(
    identity: Identity, session: Session, size: int, kind: KycDocument.Kind.ValueType
) -> str:
    request = CreateDocumentRequest(kind=kind, size=size)
    answer = await identity.kyc.CreateDocument(request, metadata=mine(session))
    return answer.document.document_id


async def send(
    identity: Identity, session: Session, document_id: str, offset: int, part: bytes
) -> KycDocument:
    request = UploadDocumentPartRequest(
        document_id=document_id, offset=offset, content=HttpBody(data=part)
    )
    return (await identity.kyc.UploadDocumentPart(request, metadata=mine(session))).document


async def hand_in(
    identity: Identity,
    session: Session,
    content: bytes,
    kind: KycDocument.Kind.ValueType = KycDocument.IDENTITY,
) -> KycDocument:
    """Upload a file, whole."""
    document_id = await begin(identity, session, len(content), kind)
    for offset in range(0, len(content), PART):
        await send(identity, session, document_id, offset, content[offset : offset + PART])
    request = CompleteDocumentRequest(document_id=document_id)
    return (await identity.kyc.CompleteDocument(request, metadata=mine(session))).document


async def read(identity: Identity, document_id: str, user: str = REVIEWER) -> bytes:
    request = ReadDocumentRequest(document_id=document_id)
    answer = await identity.kyc.ReadDocument(request, metadata=reviewer(identity, user))
    return bytes(answer.body.data)


async def approve(identity: Identity, document_id: str, lasts: timedelta = DAY) -> KycDocument:
    await read(identity, document_id)
    request = ApproveDocumentRequest(
        document_id=document_id, expire_time=to_timestamp(identity.clock.now() + lasts)
    )
    answer = await identity.kyc.ApproveDocument(request, metadata=reviewer(identity))
    return answer.document


async def standing(identity: Identity, session: Session) -> ListDocumentsResponse:
    return await identity.kyc.ListDocuments(ListDocumentsRequest(), metadata=mine(session))


async def told(identity: Identity) -> list[str]:
    """Return what identity told of documents, as states."""
    return [
        KycDocument.State.Name(entry.event.kyc_changed.document.state)
        for entry in await identity.events("kyc.changed.v1")
    ]


async def on_record(identity: Identity) -> list[tuple[str, str]]:
    """Return who did what with documents."""
    records = [
        entry.event.audit_recorded.record for entry in await identity.events("audit.recorded.v1")
    ]
    return [(record.actor, record.action) for record in records if "kyc" in record.action]


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def ground(identity: Identity, database: Database) -> Ground:
    journal = Journal("identity", database)
    return Ground(database, journal, identity.clock, uuid7, lambda count: bytes(range(count)))


def uploading(identity: Identity, database: Database, store: DocumentStore) -> Uploading:
    base = ground(identity, database)
    keys = UserKeys(base, Vault.load(identity.settings.vault_file))
    return Uploading(base, keys=keys, store=store, inspector=Inspector())
