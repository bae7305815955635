"""What is kept about a person: handed to that person, whole, and to nobody else."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from services.kit.reason import Reason
from tests.identity_files import photo
from tests.service.identity_documents import hand_in, mine, read
from tests.service.identity_server import Identity, StartIdentity, Trading, refused
from veritick.identity.v1.privacy_service_pb2 import ExportPersonalDataRequest
from veritick.identity.v1.privacy_service_pb2_grpc import PrivacyServiceStub
from veritick.identity.v1.user_pb2 import Session

if TYPE_CHECKING:
    from veritick.identity.v1.privacy_service_pb2_grpc import PrivacyServiceAsyncStub

pytest_plugins = ["tests.service.identity_fixtures"]

EMAIL = "ana@example.com"


@dataclass
class Privacy:
    """An identity with documents and trading, and its privacy service."""

    identity: Identity
    trading: Trading
    calls: PrivacyServiceAsyncStub

    async def export(self, session: Session) -> dict[str, bytes]:
        """Return the files of the archive."""
        stream = self.calls.ExportPersonalData(ExportPersonalDataRequest(), metadata=mine(session))
        pieces = [piece async for piece in stream]
        assert {piece.body.content_type for piece in pieces} == {"application/zip"}
        assert pieces[0].file_name == "veritick-personal-data-2026-11-23.zip"
        with zipfile.ZipFile(io.BytesIO(b"".join(p.body.data for p in pieces))) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
async def privacy(
    start_identity: StartIdentity, identity_trading: Trading, tmp_path: Path
) -> AsyncIterator[Privacy]:
    address = identity_trading.address
    async with (
        start_identity(documents_folder=tmp_path, trading_address=address) as identity,
        identity.anybody() as channel,
    ):
        yield Privacy(identity, identity_trading, PrivacyServiceStub(channel))


def rows(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]


async def test_an_archive_holds_all_that_is_kept_about_a_person(privacy: Privacy) -> None:
    identity = privacy.identity
    user = await identity.register(EMAIL)
    session = await identity.log_in(EMAIL)
    document = await hand_in(identity, session, photo())
    files = await privacy.export(session)

    [profile] = rows(files["profile.jsonl"])
    assert (profile["user_id"], profile["email"]) == (user.user_id, EMAIL)
    assert [row["session_id"] for row in rows(files["sessions.jsonl"])] == [session.session_id]
    [told] = rows(files["documents.jsonl"])
    assert told["document_id"] == document.document_id
    kept = files[f"documents/{document.document_id}.jpg"]
    assert kept == await read(identity, document.document_id)
    assert files["trading/demo/orders.csv"] == b"order_id\r\n" + user.user_id.encode()
    readme = files.pop("README.txt").decode()
    assert all(f"\n{name}\n" in readme for name in files)


async def test_an_archive_holds_nothing_of_others_and_no_secret(privacy: Privacy) -> None:
    identity = privacy.identity
    other = await identity.register()
    await hand_in(identity, await identity.log_in(other.email), photo())
    await identity.register(EMAIL)
    session = await identity.log_in(EMAIL)
    whole = b"".join((await privacy.export(session)).values())
    [(stored,)] = identity.rows(
        "SELECT password_hash FROM credentials JOIN users USING (user_id) WHERE email = %s", EMAIL
    )
    assert EMAIL.encode() in whole
    for foreign in (other.user_id, other.email, stored, session.refresh_token):
        assert foreign.encode() not in whole


async def test_that_somebody_asked_is_on_record(privacy: Privacy) -> None:
    session = await privacy.identity.signed_in()
    await privacy.export(session)
    told = [
        entry.event.audit_recorded.record
        for entry in await privacy.identity.events("audit.recorded.v1")
    ]
    [asked] = [record for record in told if record.action == "data.export"]
    assert asked.subject == asked.actor == f"user:{session.user_id}"


async def test_an_archive_is_handed_only_to_who_has_just_proven_who_he_is(
    privacy: Privacy,
) -> None:
    session = await privacy.identity.signed_in()
    privacy.identity.clock.advance(timedelta(minutes=11))
    with refused(Reason.CONFIRMATION_REQUIRED):
        await privacy.export(session)


async def test_while_a_part_is_away_nothing_is_handed_out(privacy: Privacy) -> None:
    session = await privacy.identity.signed_in()
    privacy.trading.away = True
    with refused(Reason.UNAVAILABLE):
        await privacy.export(session)
