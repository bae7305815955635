"""Documents of users: handed in by parts, cleaned, sealed, and kept nowhere in the open."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from PIL import Image
from pydantic import SecretStr

from services.identity.document_store import DocumentStore, S3Settings, folder_store, s3_store
from services.identity.kyc import PART_BYTES_MIN, UPLOADING_MAX
from services.kit.database import Database
from services.kit.errors import Failure
from services.kit.reason import Reason
from tests.identity_files import bomb, pdf, photo, with_script
from tests.service.identity_documents import (
    PART,
    approve,
    begin,
    files,
    hand_in,
    mine,
    read,
    send,
    standing,
    told,
    uploading,
)
from tests.service.identity_server import Identity, StartIdentity, refused
from tests.service.s3_server import ACCESS_KEY_ID, running_bucket
from veritick.identity.v1.kyc_document_pb2 import KycDocument
from veritick.identity.v1.kyc_service_pb2 import (
    CompleteDocumentRequest,
    GetDocumentRequest,
)

pytest_plugins = ["tests.service.identity_fixtures"]
pytestmark = pytest.mark.security


@pytest.fixture
async def desk(start_identity: StartIdentity, tmp_path: Path) -> AsyncIterator[Identity]:
    """An identity that keeps documents in a folder."""
    async with start_identity(documents_folder=tmp_path) as identity:
        yield identity


# Handing in.


async def test_a_document_goes_from_its_parts_to_approval(desk: Identity) -> None:
    session = await desk.signed_in()
    document = await hand_in(desk, session, photo())
    assert KycDocument.State.Name(document.state) == "UPLOADED"
    assert document.media_type == "image/jpeg"
    content = await read(desk, document.document_id)
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.size) == ("JPEG", (480, 640))
    approved = await approve(desk, document.document_id)
    assert KycDocument.State.Name(approved.state) == "APPROVED"
    assert await told(desk) == ["UPLOADED", "IN_REVIEW", "APPROVED"]


async def test_an_upload_goes_on_where_it_stopped(desk: Identity) -> None:
    session = await desk.signed_in()
    content = photo("PNG", (900, 900), compress_level=0)
    assert len(content) > 2 * PART
    document_id = await begin(desk, session, len(content), KycDocument.ADDRESS)
    first = await send(desk, session, document_id, 0, content[:PART])
    assert first.received == PART
    again = await send(desk, session, document_id, 0, content[:PART])
    assert again.received == PART, "a part that was answered to nobody is sent again"
    with refused(Reason.UPLOAD_OFFSET_WRONG) as wrong:
        await send(desk, session, document_id, 2 * PART, content[2 * PART :])
    assert wrong.metadata == {"received": str(PART)}
    request = GetDocumentRequest(document_id=document_id)
    asked = (await desk.kyc.GetDocument(request, metadata=mine(session))).document
    for offset in range(asked.received, len(content), PART):
        await send(desk, session, document_id, offset, content[offset : offset + PART])
    complete = CompleteDocumentRequest(document_id=document_id)
    done = (await desk.kyc.CompleteDocument(complete, metadata=mine(session))).document
    assert done.media_type == "image/png"


async def test_what_is_not_all_there_is_not_completed(desk: Identity) -> None:
    session = await desk.signed_in()
    document_id = await begin(desk, session, PART_BYTES_MIN + 40, KycDocument.IDENTITY)
    await send(desk, session, document_id, 0, b"x" * PART_BYTES_MIN)
    request = CompleteDocumentRequest(document_id=document_id)
    with refused(Reason.UPLOAD_OFFSET_WRONG) as wrong:
        await desk.kyc.CompleteDocument(request, metadata=mine(session))
    assert wrong.metadata == {"received": str(PART_BYTES_MIN)}
    with refused(Reason.REQUEST_TOO_LARGE):
        await send(desk, session, document_id, PART_BYTES_MIN, b"x" * 41)


@pytest.mark.parametrize("size", [0, -1, 8 * 1024 * 1024 + 1])
async def test_a_size_out_of_bounds_is_refused(desk: Identity, size: int) -> None:
    session = await desk.signed_in()
    with refused(Reason.INVALID_REQUEST):
        await begin(desk, session, size, KycDocument.IDENTITY)


async def test_a_part_out_of_bounds_is_refused(desk: Identity) -> None:
    session = await desk.signed_in()
    document_id = await begin(desk, session, 3 * PART, KycDocument.IDENTITY)
    for part in (b"", b"x" * (PART_BYTES_MIN - 1), b"x" * (PART + 1)):
        with refused(Reason.INVALID_REQUEST) as refusal:
            await send(desk, session, document_id, 0, part)
        assert refusal.fields[0].startswith("content")


@pytest.mark.parametrize("content", [b"MZ a program", bomb(), pdf(with_script)])
async def test_a_file_that_is_refused_is_forgotten(
    desk: Identity, content: bytes, tmp_path: Path
) -> None:
    session = await desk.signed_in()
    with refused(Reason.DOCUMENT_REFUSED):
        await hand_in(desk, session, content)
    assert files(tmp_path) == {}
    assert list((await standing(desk, session)).documents) == []


async def test_completed_twice_at_once_a_document_stays(desk: Identity, tmp_path: Path) -> None:
    session = await desk.signed_in()
    content = photo()
    document_id = await begin(desk, session, len(content), KycDocument.IDENTITY)
    await send(desk, session, document_id, 0, content)
    request = CompleteDocumentRequest(document_id=document_id)
    await asyncio.gather(
        *(desk.kyc.CompleteDocument(request, metadata=mine(session)) for _ in range(2)),
        return_exceptions=True,
    )
    assert [d.state for d in (await standing(desk, session)).documents] == [KycDocument.UPLOADED]
    assert set(files(tmp_path)) == {f"documents/{document_id}"}
    assert await read(desk, document_id)


async def test_nobody_hands_in_without_end(desk: Identity) -> None:
    session = await desk.signed_in()
    attempts = [begin(desk, session, 100, KycDocument.IDENTITY) for _ in range(UPLOADING_MAX + 3)]
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(answer, str) for answer in answers) == UPLOADING_MAX
    with refused(Reason.DOCUMENT_LIMIT):
        await begin(desk, session, 100, KycDocument.IDENTITY)


async def test_a_document_is_its_owners_alone(desk: Identity) -> None:
    ana, ben = await desk.signed_in(), await desk.signed_in()
    document_id = await begin(desk, ana, 100, KycDocument.IDENTITY)
    with refused(Reason.DOCUMENT_NOT_FOUND):
        await send(desk, ben, document_id, 0, b"x")
    with refused(Reason.DOCUMENT_NOT_FOUND):
        request = GetDocumentRequest(document_id=document_id)
        await desk.kyc.GetDocument(request, metadata=mine(ben))
    with refused(Reason.DOCUMENT_NOT_FOUND):
        complete = CompleteDocumentRequest(document_id=document_id)
        await desk.kyc.CompleteDocument(complete, metadata=mine(ben))
    assert list((await standing(desk, ben)).documents) == []


# Keeping.


async def test_nothing_readable_lies_in_the_store_or_the_database(
    desk: Identity, tmp_path: Path
) -> None:
    session, content = await desk.signed_in(), photo()
    document_id = await begin(desk, session, len(content), KycDocument.IDENTITY)
    await send(desk, session, document_id, 0, content)
    (part,) = files(tmp_path).values()
    assert content[:64] not in part
    request = CompleteDocumentRequest(document_id=document_id)
    await desk.kyc.CompleteDocument(request, metadata=mine(session))
    kept = files(tmp_path)
    assert set(kept) == {f"documents/{document_id}"}, "the parts are gone"
    assert all(b"JFIF" not in sealed and content[:64] not in sealed for sealed in kept.values())
    ((wrapped,),) = desk.rows("SELECT wrapped FROM user_key")
    assert len(wrapped) == 12 + 32 + 16


async def test_users_have_keys_of_their_own(desk: Identity, tmp_path: Path) -> None:
    ana, ben = await desk.signed_in(), await desk.signed_in()
    one = await hand_in(desk, ana, photo())
    other = await hand_in(desk, ben, photo())
    kept = tmp_path / "documents"
    (kept / one.document_id).write_bytes((kept / other.document_id).read_bytes())
    with refused(Reason.INTERNAL):
        await read(desk, one.document_id)


async def test_a_destroyed_key_leaves_nothing_to_read(desk: Identity) -> None:
    session = await desk.signed_in()
    document = await hand_in(desk, session, photo())
    desk.rows("DELETE FROM user_key RETURNING 1")
    with refused(Reason.DOCUMENT_NOT_FOUND):
        await read(desk, document.document_id)


async def test_uploads_that_nobody_completes_are_forgotten(desk: Identity, tmp_path: Path) -> None:
    session = await desk.signed_in()
    document_id = await begin(desk, session, PART_BYTES_MIN + 40, KycDocument.IDENTITY)
    await send(desk, session, document_id, 0, b"x" * PART_BYTES_MIN)
    kept, store = await hand_in(desk, session, photo()), DocumentStore(folder_store(tmp_path))
    desk.clock.advance(timedelta(hours=25))
    # What crashes leave: a part that nobody told the database of, and one of what was completed.
    await store.put(f"uploads/{document_id}/{PART_BYTES_MIN}", b"stored")
    await store.put(f"uploads/{kept.document_id}/0", b"stored")
    desk.rows("INSERT INTO kyc_part VALUES (%s, 0) RETURNING 1", kept.document_id)
    async with Database.from_settings(desk.settings, name="purge") as database:
        await uploading(desk, database, store).forget_abandoned()
    assert set(files(tmp_path)) == {f"documents/{kept.document_id}"}
    assert desk.rows("SELECT count(*) FROM kyc_document") == [(1,)]


class Overtaken(DocumentStore):
    """A store before whose next use somebody else does something."""

    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def put(self, name: str, content: bytes) -> None:
        await self._wait()
        await super().put(name, content)

    async def get(self, name: str) -> bytes:
        await self._wait()
        return await super().get(name)

    async def _wait(self) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            await meanwhile()


async def test_what_somebody_else_has_completed_meanwhile_was_not_refused(
    desk: Identity, tmp_path: Path
) -> None:
    session, content = await desk.signed_in(), photo()
    user_id, store = UUID(session.user_id), Overtaken(folder_store(tmp_path))
    document_id = UUID(await begin(desk, session, len(content), KycDocument.IDENTITY))
    async with Database.from_settings(desk.settings, name="uploading") as database:
        upload = uploading(desk, database, store)
        await upload.take(user_id, document_id, 0, content)
        store.meanwhile = lambda: upload.complete(user_id, document_id)
        with pytest.raises(Failure) as late:
            await upload.complete(user_id, document_id)
    assert late.value.reason is Reason.DOCUMENT_STATE_CONFLICT
    assert set(files(tmp_path)) == {f"documents/{document_id}"}


async def test_parts_sent_at_once_for_one_place_make_no_larger_file(
    desk: Identity, tmp_path: Path
) -> None:
    session, content = await desk.signed_in(), photo("PNG", (300, 300), compress_level=0)
    user_id, store = UUID(session.user_id), Overtaken(folder_store(tmp_path))
    document_id = UUID(await begin(desk, session, len(content), KycDocument.IDENTITY))
    async with Database.from_settings(desk.settings, name="uploading") as database:
        upload = uploading(desk, database, store)
        store.meanwhile = lambda: upload.take(user_id, document_id, 0, content[:PART_BYTES_MIN])
        with pytest.raises(Failure) as overtaken:
            await upload.take(user_id, document_id, 0, content)
        assert overtaken.value.reason is Reason.UPLOAD_OFFSET_WRONG
        await upload.take(user_id, document_id, PART_BYTES_MIN, content[PART_BYTES_MIN:])
        with pytest.raises(Failure) as refusal:
            await upload.complete(user_id, document_id)
    assert refusal.value.reason is Reason.DOCUMENT_REFUSED
    assert files(tmp_path) == {}


# Stores and settings.


async def test_a_bucket_keeps_documents_as_a_folder_does(tmp_path: Path) -> None:
    async with running_bucket("documents") as bucket:
        settings = S3Settings(
            bucket="documents",
            endpoint=bucket.url,
            access_key_id=ACCESS_KEY_ID,
            secret_access_key=SecretStr("a secret of the bucket"),
        )
        for store in (DocumentStore(s3_store(settings)), DocumentStore(folder_store(tmp_path))):
            await store.put("documents/a", b"one")
            await store.put("documents/a", b"two")
            assert await store.get("documents/a") == b"two"
            await store.forget("documents/a")
            await store.forget("documents/a")
            with pytest.raises(FileNotFoundError):
                await store.get("documents/a")
        assert bucket.objects == {}


async def test_a_bucket_that_is_away_is_unavailable() -> None:
    settings = S3Settings(
        bucket="documents",
        endpoint="http://127.0.0.1:1",
        access_key_id=ACCESS_KEY_ID,
        secret_access_key=SecretStr("a secret of the bucket"),
    )
    with pytest.raises(Failure) as away:
        await DocumentStore(s3_store(settings)).get("documents/a")
    assert away.value.reason is Reason.UNAVAILABLE
