"""One leader among replicas, by a lease in the database, and a fence around what it writes.

The lease only decides who should lead; the fence decides who can write. Every election raises the
epoch, and a transaction that calls `fence` commits only while its epoch is the current one:

- `fence` locks the row FOR KEY SHARE, which a renewal (it changes no key) does not disturb, so a
  leader that commits without pause never keeps itself from renewing;
- an election locks the row FOR UPDATE: it waits for fenced transactions in flight, and those that
  come later see the new epoch. A leader that was paused and wakes up can commit nothing.

Leases are judged by the database's clock alone, so it does not matter whose clock is wrong.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, LiteralString

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kit.clock import Clock
from services.kit.database import Database, DatabaseUnavailable, RawConnection, committing
from services.kit.ids import Ids

FENCE_SQL = "SELECT 1 FROM leader WHERE name = %(name)s AND epoch = %(epoch)s FOR KEY SHARE"
"""Returns a row while the epoch is current, and keeps it so until the transaction ends."""

FENCED: LiteralString = """
    fenced AS MATERIALIZED (
        SELECT FROM leader WHERE name = %(leader)s AND epoch = %(epoch)s FOR KEY SHARE
    )
"""
"""The same for a statement that is a transaction by itself: it writes only what it takes FROM
fenced, and begins its answer with `(SELECT count(*) FROM fenced)`. See `fenced`."""

_VACANT = (
    "INSERT INTO leader (name, epoch, expires_at) VALUES (%(name)s, 0, '-infinity') "
    "ON CONFLICT DO NOTHING"
)
_LOCK_EXPIRED = """
    SELECT 1 FROM leader
    WHERE name = %(name)s AND expires_at <= clock_timestamp()
    FOR UPDATE
"""
_TAKE_OVER = """
    UPDATE leader
    SET holder = %(holder)s, epoch = epoch + 1,
        expires_at = clock_timestamp() + make_interval(secs => %(lease)s)
    WHERE name = %(name)s
    RETURNING epoch
"""
_RENEW = """
    UPDATE leader
    SET expires_at = clock_timestamp() + make_interval(secs => %(lease)s)
    WHERE name = %(name)s AND epoch = %(epoch)s
"""
_RELEASE = """
    UPDATE leader SET expires_at = '-infinity' WHERE name = %(name)s AND epoch = %(epoch)s
"""

_log = structlog.stdlib.get_logger()
_SA_FENCE = text(FENCE_SQL.replace("%(name)s", ":name").replace("%(epoch)s", ":epoch"))


class LeadershipLost(Exception):
    """Another leader was elected: this transaction must not commit, and this term is over."""


class Term:
    """One period of leadership. `lost` is set when it may have ended; the fence knows for sure."""

    def __init__(self, name: str, epoch: int) -> None:
        self.name = name
        self.epoch = epoch
        self.lost = asyncio.Event()

    async def fence(self, connection: RawConnection | AsyncConnection) -> None:
        """Let the caller's transaction commit only within this term; else LeadershipLost."""
        await fence(connection, self.name, self.epoch)


async def fence(connection: RawConnection | AsyncConnection, name: str, epoch: int) -> None:
    """Hold this epoch until the caller's transaction ends; LeadershipLost when it has passed.

    Call it in the transaction, before what must not be written by a leader of the past.
    """
    parameters = {"name": name, "epoch": epoch}
    if isinstance(connection, AsyncConnection):
        row: object = (await connection.execute(_SA_FENCE, parameters)).first()
    else:
        row = await (await connection.execute(FENCE_SQL, parameters)).fetchone()
    if row is None:
        raise LeadershipLost(f"epoch {epoch} of {name} has passed")


async def fenced(
    connection: RawConnection, term: Term, statement: LiteralString, parameters: Mapping[str, Any]
) -> tuple[Any, ...]:
    """Run a statement with FENCED in it as a transaction; return its one row after the count.

    Errors: LeadershipLost, and then it wrote nothing; CommitUnknown.
    """
    await connection.set_autocommit(True)
    values = {"leader": term.name, "epoch": term.epoch, **parameters}
    with committing():
        row = await (await connection.execute(statement, values, prepare=True)).fetchone()
    if row is None or row[0] == 0:
        raise LeadershipLost(f"epoch {term.epoch} of {term.name} has passed")
    return row[1:]


class Leadership:
    """A candidacy for one leadership; as many as wish may run for it, one leads at a time."""

    def __init__(
        self,
        database: Database,
        name: str,
        clock: Clock,
        ids: Ids,
        *,
        lease_seconds: float = 3,
        renew_every_seconds: float = 1,
        ask_every_seconds: float = 0.2,
    ) -> None:
        """Prepare to run for `name`, which is unique within the database.

        A dead leader is replaced within `lease_seconds`; one that released its term, or a vacancy,
        within `ask_every_seconds`.
        """
        if not 0 < renew_every_seconds < lease_seconds:
            raise ValueError("a lease must be renewed before it runs out")
        self._database = database
        self._name = name
        self._clock = clock
        self._holder = ids()
        self._lease_seconds = lease_seconds
        self._renew_every_seconds = renew_every_seconds
        self._ask_every_seconds = ask_every_seconds
        self._log = _log.bind(leader=name, holder=str(self._holder))

    async def run(self, work: Callable[[Term], Awaitable[None]]) -> None:
        """Lead whenever elected: run `work` in each term, and cancel it when the term is lost.

        Returns when `work` does. An outage of the database or a lost term only ends the term; any
        other error is the caller's, after the leadership was released.
        """
        while True:
            async with self.term() as term:
                try:
                    if await _until_lost(work(term), term):
                        return
                except (LeadershipLost, DatabaseUnavailable) as error:
                    self._log.warning("term ended", epoch=term.epoch, reason=str(error))
            # Whoever stands by may go first.
            await asyncio.sleep(self._renew_every_seconds)

    @asynccontextmanager
    async def term(self) -> AsyncIterator[Term]:
        """Wait to be elected, yield the term while renewing its lease, and release it at the end.

        The body must stop when `term.lost` is set; `run` sees to that by itself.
        """
        term = Term(self._name, await self._elected())
        self._log.info("elected", epoch=term.epoch)
        renewing = asyncio.create_task(self._keep(term), name=f"lease:{self._name}")
        try:
            yield term
        finally:
            renewing.cancel()
            await asyncio.wait({renewing})
            await self._release(term)
        if not renewing.cancelled():
            renewing.result()

    async def _elected(self) -> int:
        while True:
            with suppress(DatabaseUnavailable):
                epoch = await self._ask()
                if epoch is not None:
                    return epoch
            await asyncio.sleep(self._ask_every_seconds)

    async def _ask(self) -> int | None:
        """Return the new epoch when the leadership was free, or None while someone leads."""
        parameters = {"name": self._name, "holder": self._holder, "lease": self._lease_seconds}
        async with self._database.raw() as connection, connection.transaction():
            await connection.execute(_VACANT, parameters)
            free = await (await connection.execute(_LOCK_EXPIRED, parameters)).fetchone()
            if not free:
                return None
            row = await (await connection.execute(_TAKE_OVER, parameters)).fetchone()
            return int(row[0]) if row else None

    async def _keep(self, term: Term) -> None:
        """Renew the lease for as long as possible. Whatever ends this, ends the term."""
        renewed_at = self._clock.monotonic()
        try:
            while self._clock.monotonic() - renewed_at < self._lease_seconds:
                await asyncio.sleep(self._renew_every_seconds)
                attempted_at = self._clock.monotonic()
                with suppress(DatabaseUnavailable, TimeoutError):
                    async with asyncio.timeout(self._lease_seconds):
                        if not await self._touch(_RENEW, term):
                            break
                    renewed_at = attempted_at
            self._log.warning("leadership lost", epoch=term.epoch)
        finally:
            term.lost.set()

    async def _release(self, term: Term) -> None:
        """Free the leadership at once; if that fails, the lease runs out by itself."""
        with suppress(DatabaseUnavailable, TimeoutError):
            async with asyncio.timeout(self._lease_seconds):
                await self._touch(_RELEASE, term)
            self._log.info("released", epoch=term.epoch)

    async def _touch(self, statement: LiteralString, term: Term) -> bool:
        parameters = {"name": term.name, "epoch": term.epoch, "lease": self._lease_seconds}
        async with self._database.raw() as connection, connection.transaction():
            cursor = await connection.execute(statement, parameters)
            return cursor.rowcount == 1


async def _until_lost(work: Awaitable[None], term: Term) -> bool:
    """Run the work of a term and tell whether it finished; cancel it when the term is lost."""
    working = asyncio.ensure_future(work)
    losing = asyncio.create_task(term.lost.wait())
    try:
        await asyncio.wait({working, losing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        losing.cancel()
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
    if working.cancelled():
        return False
    working.result()
    return not term.lost.is_set()
