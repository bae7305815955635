"""Everything that is kept about a person, as files for that person.

Each file is read page by page, a document at a time, so that nobody's past fills the memory. What
opens something (passwords, tokens, seeds, the digests of them) is in none of them; nor is what
staff note about somebody, and what the platform does against fraud.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
import structlog

from services.identity import (
    api_keys,
    bans,
    device_traders,
    documents,
    erasures,
    letters,
    passkeys,
    presences,
    protections,
    referrals,
    second_factors,
    sessions,
    sittings,
    traces,
    trail_table,
    users,
)
from services.identity.archive import PIECE_BYTES, Piece, archived
from services.identity.disclosure import disclosed
from services.identity.document_store import DocumentStore
from services.identity.ground import Ground
from services.identity.kyc import SUFFIXES, Document
from services.identity.neighbours import Accounts
from services.identity.sealing import unseal
from services.identity.trail import Link
from services.identity.trail_table import Search
from services.identity.uploading import content_name
from services.identity.user_keys import UserKeys
from services.kit.audit import audited

_PAGE = 1_000
_PREFACE = """\
This is what Veritick keeps about you.

Files that end in .jsonl hold one JSON object in each line, those that end in .csv a table whose
first line names its columns. Times are in UTC. Not here are what opens something (your password,
tokens, seeds of second factors), of which only digests or sealed copies exist; what staff note and
what the platform does against fraud, which telling would undo; and the words of staff on record.
"""
_TRAIL = "What stays on record: what you did, and what was done to you."
_DOCUMENT = "A document that you handed in, as it is kept."
_log = structlog.stdlib.get_logger()


class _Table(NamedTuple):
    """A table whose rows belong to users, and what of it is not handed out."""

    file_name: str
    about: str
    table: sa.Table
    without: frozenset[str] = frozenset()


_TABLES = (
    _Table(
        "profile.jsonl",
        "Who you are to the platform, what you told it and agreed to, and what you may do.",
        users.users,
        frozenset({"address_key", "authority", "authority_changed_at"}),
    ),
    _Table(
        "sessions.jsonl",
        "Where you signed in: device, address and program. Forgotten some time after their end.",
        sessions.sessions,
        frozenset({"traced"}),
    ),
    _Table(
        "traces.jsonl",
        "At which addresses and devices you were seen, first and last.",
        traces.traces,
    ),
    _Table(
        "trading_devices.jsonl",
        "At which devices you placed orders, by day.",
        device_traders.traders,
    ),
    _Table("passkeys.jsonl", "Your passkeys: their public parts.", passkeys.passkeys),
    _Table(
        "api_keys.jsonl",
        "Your API keys: what each may do, from where and until when.",
        api_keys.api_keys,
        frozenset({"digest"}),
    ),
    _Table(
        "second_factor.jsonl",
        "Since when signing in takes a code.",
        second_factors.totp,
        frozenset({"sealed", "last_step"}),
    ),
    _Table(
        "protection.jsonl",
        "What you set to protect yourself, every change of it; amounts in minor units.",
        protections.protections,
    ),
    _Table(
        "presence.jsonl",
        "How long you were signed in, in seconds, where you limit that.",
        presences.presences,
    ),
    _Table(
        "sitting.jsonl",
        "Since when you are signed in, where you want to be told how long.",
        sittings.sittings,
    ),
    _Table(
        "bans.jsonl",
        "When you were shut out.",
        bans.bans,
        frozenset({"reason", "banned_by", "lifted_by", "lift_reason"}),
    ),
    _Table(
        "documents.jsonl",
        "The documents that you handed in, and what became of them.",
        documents.documents,
        frozenset({"reviewed_by"}),
    ),
    _Table(
        "referral_code.jsonl", "The code in the link by which you refer others.", referrals.codes
    ),
    _Table(
        "referral.jsonl",
        "That you were referred by somebody, and when.",
        referrals.referrals,
        frozenset({"referrer_id"}),
    ),
    _Table("erasures.jsonl", "When you asked to be erased.", erasures.erasures),
)


class PersonalData:
    """Hands people what is kept about them."""

    def __init__(
        self,
        ground: Ground,
        accounts: Accounts | None,
        documents_kept: tuple[UserKeys, DocumentStore] | None,
    ) -> None:
        """Read this service's own database, the documents if any are kept, and trading's part."""
        self._ground = ground
        self._database = ground.database
        self._accounts = accounts
        self._documents_kept = documents_kept

    async def archive(self, user_id: UUID) -> AsyncIterator[bytes]:
        """Yield an archive of everything about a user, once it is on record that he asked.

        Failure UNAVAILABLE while trading or the store of documents is away.
        """
        now = self._ground.clock.now()
        async with self._database.transaction() as connection:
            asked = audited("data.export", f"user:{user_id}", now)
            await self._ground.journal.append(connection, [asked], now)
        self._ground.journal.notify()
        async for data in archived(self._pieces(user_id), _PREFACE, now):
            yield data

    async def _pieces(self, user_id: UUID) -> AsyncIterator[Piece]:
        # The neighbour comes first: one that is away is found out before anything was sent.
        if self._accounts is not None:
            async for piece in self._accounts.personal_data(user_id):
                yield piece
        for part in _TABLES:
            async for rows in self._rows(part.table, part.table.c.user_id == user_id):
                yield Piece(part.file_name, part.about, _lines(rows, part.without))
        async for piece in self._letters(user_id):
            yield piece
        async for piece in self._trail(user_id):
            yield piece
        async for piece in self._documents(user_id):
            yield piece

    async def _rows(
        self, table: sa.Table, condition: sa.ColumnElement[bool]
    ) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        """Yield the rows that meet a condition, by page, in the order of their key."""
        key = list(table.primary_key)
        query = sa.select(table).where(condition).order_by(*key).limit(_PAGE)
        page_query = query
        while True:
            async with self._database.connection() as connection:
                rows = [dict(row) for row in (await connection.execute(page_query)).mappings()]
            if rows:
                yield rows
            if len(rows) < _PAGE:
                return
            last = [sa.literal(rows[-1][column.name], column.type) for column in key]
            page_query = query.where(sa.tuple_(*key) > sa.tuple_(*last))

    async def _letters(self, user_id: UUID) -> AsyncIterator[Piece]:
        table = letters.letters
        mine = sa.select(users.users.c.address_key).where(users.users.c.user_id == user_id)
        about = "The letters that were written to you lately."
        hidden = frozenset({"address_key", "due_at", "attempts"})
        async for rows in self._rows(table, table.c.address_key == mine.scalar_subquery()):
            yield Piece("letters.jsonl", about, _lines(rows, hidden))

    async def _trail(self, user_id: UUID) -> AsyncIterator[Piece]:
        person = f"user:{user_id}"
        async for links in self._records("actor", person):
            shown = (disclosed(link.record, person) for link in links)
            yield Piece("record.jsonl", _TRAIL, _lines(each for each in shown if each))
        async for links in self._records("subject", person):
            # What he did to himself is among what he did.
            others = (link.record for link in links if link.record.actor != person)
            shown = (disclosed(record, person) for record in others)
            yield Piece("record.jsonl", _TRAIL, _lines(each for each in shown if each))

    async def _records(self, column: str, person: str) -> AsyncIterator[Sequence[Link]]:
        """Yield the records that name a person in a column, by page, the newest first."""
        before = None
        while True:
            search = Search({column: person}, before=before)
            async with self._database.connection() as connection:
                links = await trail_table.found(connection, search, _PAGE)
            yield links
            if len(links) < _PAGE:
                return
            before = links[-1].record.time, links[-1].sequence

    async def _documents(self, user_id: UUID) -> AsyncIterator[Piece]:
        if self._documents_kept is None:
            return
        keys, store = self._documents_kept
        async with self._database.connection() as connection:
            found = await documents.of_user(connection, user_id)
        for document in found:
            if document.media_type:
                content = await _content(document, keys, store)
                name = f"documents/{document.document_id}.{SUFFIXES[document.media_type]}"
                for start in range(0, len(content), PIECE_BYTES):
                    yield Piece(name, _DOCUMENT, content[start : start + PIECE_BYTES])


async def _content(document: Document, keys: UserKeys, store: DocumentStore) -> bytes:
    name = content_name(document.document_id)
    key = await keys.found(document.user_id)
    return unseal(key, await store.get(name), name)


def _lines(rows: Iterable[Mapping[str, Any]], without: frozenset[str] = frozenset()) -> bytes:
    """Return each row as a line of JSON."""
    shown = ({name: row[name] for name in row if name not in without} for row in rows)
    return "".join(json.dumps(row, default=_written) + "\n" for row in shown).encode()


def _written(value: object) -> object:
    match value:
        case date():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes():
            return b64encode(value).decode()
        case _:
            return str(value)
