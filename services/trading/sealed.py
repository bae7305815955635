"""The ledger as others check it: entries under their seals, a page at a time."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import text

from services.kit.database import Database
from services.trading.audit import Line
from services.trading.audit_queries import ENTRIES, SEALS
from services.trading.posting import Entry
from services.trading.sealing import Head, Seal, read_head

ENTRIES_MAX = 5_000
"""Entries on a page, unless a single seal covers more."""


class Sealed(NamedTuple):
    """A seal with the entries it covers."""

    seal: Seal
    lines: list[Line]


class SealedLedger:
    """Reads one book's chain of seals."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def head(self) -> Head:
        """Return where the chain ends now."""
        async with self._database.raw() as connection:
            return await read_head(connection)

    async def after(self, seal_id: int, limit: int) -> list[Sealed]:
        """Return seals after one, in order, with their entries. Neither ever changes."""
        async with self._database.connection() as connection:
            rows = await connection.execute(text(SEALS), {"after": seal_id, "limit": limit})
            seals = within_bound([Seal(*row) for row in rows], ENTRIES_MAX)
            if not seals:
                return []
            span = {"after": _before(seals[0]), "until": seals[-1].last_entry_id}
            rows = await connection.execute(text(ENTRIES), span)
            lines = [Line(row[0], row[1], Entry(*row[2:])) for row in rows]
        return _under(seals, lines)


def within_bound(seals: list[Seal], entries_max: int) -> list[Seal]:
    """Return the first seals that cover so many entries together, at least one if there is one."""
    entries, fitting = 0, list[Seal]()
    for seal in seals:
        entries += seal.entries
        if fitting and entries > entries_max:
            break
        fitting.append(seal)
    return fitting


def _before(seal: Seal) -> int:
    return seal.last_entry_id - seal.entries


def _under(seals: list[Seal], lines: list[Line]) -> list[Sealed]:
    """Lay entries under the seals that cover them, by their ids."""
    found = {line.entry_id: line for line in lines}
    covered = ((seal, range(_before(seal) + 1, seal.last_entry_id + 1)) for seal in seals)
    return [Sealed(seal, [found[key] for key in ids if key in found]) for seal, ids in covered]
