"""Keeping the audit trail: taking records in, sealing the chain, checking and searching it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import trail_table
from services.identity.trail import Break, Link, Record, breaks_in, seal_text
from services.identity.trail_table import Seal, Search
from services.kit.clock import Clock
from services.kit.database import Database
from services.kit.jobs import Job
from services.kit.tokens import Keyring

CHECKED_TOGETHER = 2_000
"""How many records one step of a check looks at."""

BREAKS_MAX = 100
_SEAL_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a step of a check found."""

    records: int
    last_sequence: int
    finished: bool
    breaks: Sequence[Break]


class AuditTrail:
    """The trail of the whole platform."""

    def __init__(self, database: Database, keyring: Keyring, clock: Clock) -> None:
        """Keep it in this database and seal it with this process's key."""
        self._database = database
        self._keyring = keyring
        self._clock = clock

    async def take(self, connection: AsyncConnection, records: Sequence[Record]) -> None:
        """Add records within the caller's transaction."""
        if records:
            await trail_table.append(connection, records)

    async def search(self, search: Search, limit: int) -> list[Link]:
        """Return records, the newest first."""
        async with self._database.connection() as connection:
            return await trail_table.found(connection, search, limit)

    def job(self) -> Job:
        """Return the sealing as a job."""
        return Job("seal-audit-trail", _SEAL_EVERY, self.seal)

    async def seal(self) -> None:
        """Sign the newest record, unless it is signed already."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            sequence, link_hash = await trail_table.head(connection)
            if sequence > await trail_table.sealed_up_to(connection):
                seal = self._signed(sequence, link_hash, now)
                await trail_table.add_seal(connection, seal)

    def _signed(self, sequence: int, link_hash: bytes, now: datetime) -> Seal:
        signature = self._keyring.signature(seal_text(sequence, link_hash, now))
        return Seal(sequence, link_hash, now, self._keyring.own_public_key(), signature)

    async def check(self, after_sequence: int) -> Checked:
        """Derive the hashes of the next records again, and look at the seals on them."""
        async with self._database.transaction(
            isolation="REPEATABLE READ", read_only=True
        ) as connection:
            previous = await trail_table.hash_at(connection, after_sequence)
            links = await trail_table.after(connection, after_sequence, CHECKED_TOGETHER)
            finished = len(links) < CHECKED_TOGETHER
            last = links[-1].sequence if links else after_sequence
            seals = await trail_table.seals_between(
                connection, after_sequence + 1, None if finished else last
            )
        if previous is None:
            breaks = [Break(after_sequence, "missing")]
        else:
            breaks = [*breaks_in(after_sequence, previous, links)]
        breaks += self._broken_seals(links, seals)
        return Checked(len(links), last, finished, breaks[:BREAKS_MAX])

    def _broken_seals(self, links: Sequence[Link], seals: Sequence[Seal]) -> list[Break]:
        hashes = {link.sequence: link.hash for link in links}
        breaks = []
        for seal in seals:
            if seal.sequence not in hashes:
                breaks.append(Break(seal.sequence, "was sealed, and is missing"))
            elif hashes[seal.sequence] != seal.hash:
                breaks.append(Break(seal.sequence, "is not what was sealed"))
            elif not self._genuine(seal):
                breaks.append(Break(seal.sequence, "has a seal that we did not sign"))
        return breaks

    def _genuine(self, seal: Seal) -> bool:
        return self._keyring.holds(seal.public_key) and _signed_by_its_key(seal)


def _signed_by_its_key(seal: Seal) -> bool:
    key = Ed25519PublicKey.from_public_bytes(seal.public_key)
    try:
        key.verify(seal.signature, seal_text(seal.sequence, seal.hash, seal.sealed_at))
    except InvalidSignature:
        return False
    return True
