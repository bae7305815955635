"""One database: a bounded pool, transactions, and a single name for "not there right now".

The pool is psycopg's; SQLAlchemy Core runs on top of it and hand-written SQL beside it, so a
process opens no more connections than `pool_max`, whoever asks. A lost connection is noticed when
it is next lent or used, and replaced: Postgres may restart at any moment, the process need not.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from typing import Any, Literal, LiteralString, Self

import psycopg
import psycopg_pool
import structlog
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import PipelineStatus, TransactionStatus
from sqlalchemy import NullPool
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from services.kit.arrays import ADAPTERS
from services.kit.settings import DatabaseSettings

Isolation = Literal["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
RawConnection = psycopg.AsyncConnection[tuple[Any, ...]]

ACQUIRE_TIMEOUT = timedelta(seconds=3)
"""Shorter than the 5 seconds of a call, so that its caller hears UNAVAILABLE and not nothing."""

_DRIVER_ERRORS = (psycopg.Error, DBAPIError)
_OPEN = (TransactionStatus.INTRANS, TransactionStatus.INERROR)
_WAITING_MAX = 1_000
_RECONNECT_SECONDS = 0.5
_CONNECT_SECONDS = 3
_HEALTH_SECONDS = 2
# A transaction whose owner stands still holds locks that others wait for: the fence of a leader
# that was paused in its middle keeps the next one from taking over until this much has passed.
_IDLE_IN_TRANSACTION_SECONDS = 5
# A peer that vanished without a word is noticed within some ten seconds, not after two hours.
_KEEPALIVE = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

_log = structlog.stdlib.get_logger()


class DatabaseUnavailable(Exception):
    """The database cannot be reached, is shutting down, or did not finish a statement in time.

    The caller may retry: what it attempted did not happen, unless this is a `CommitUnknown`.
    """


class CommitUnknown(DatabaseUnavailable):
    """The connection was lost during COMMIT: the transaction happened wholly or not at all."""


class Database:
    """One Postgres database as one role sees it."""

    def __init__(
        self,
        url: str,
        *,
        name: str,
        pool_min: int = 1,
        pool_max: int = 10,
        statement_timeout: timedelta = timedelta(seconds=30),
        acquire_timeout: timedelta = ACQUIRE_TIMEOUT,
    ) -> None:
        """Prepare a pool; nothing connects before `connect`, or `async with`.

        `name` shows in `pg_stat_activity` and in logs. `acquire_timeout` bounds the wait for a
        connection, `statement_timeout` each statement, on the server.
        """
        self.name = name
        self._reachable = True
        self._acquire_seconds = acquire_timeout.total_seconds()
        self._pool = psycopg_pool.AsyncConnectionPool(
            _conninfo(url, name, statement_timeout),
            connection_class=_PooledConnection,
            kwargs={"context": ADAPTERS},
            name=name,
            min_size=pool_min,
            max_size=pool_max,
            max_waiting=_WAITING_MAX,
            timeout=self._acquire_seconds,
            # A failed attempt gives its place back soon, so that the next caller can try again,
            # instead of backing off ever longer while Postgres has long returned.
            reconnect_timeout=_RECONNECT_SECONDS,
            open=False,
        )
        self.engine: AsyncEngine = create_async_engine(
            "postgresql+psycopg://",
            poolclass=NullPool,
            async_creator=self._lend,
            use_native_hstore=False,
            # An error would quote them, and with them password hashes and the like, into the logs.
            hide_parameters=True,
        )

    @classmethod
    def from_settings(cls, settings: DatabaseSettings, *, name: str) -> Self:
        """Return the database of these settings, not yet connected; use it with `async with`."""
        return cls(
            settings.database_url.get_secret_value(),
            name=name,
            pool_min=settings.pool_min,
            pool_max=settings.pool_max,
            statement_timeout=timedelta(seconds=settings.statement_timeout_seconds),
        )

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def connect(self) -> None:
        """Start filling the pool, without waiting: a database that is away may come later."""
        await self._pool.open()

    async def close(self) -> None:
        """Close every connection; a later use raises DatabaseUnavailable."""
        await self.engine.dispose()
        await self._pool.close()

    @asynccontextmanager
    async def transaction(
        self, *, isolation: Isolation | None = None, read_only: bool = False
    ) -> AsyncIterator[AsyncConnection]:
        """Run the block in one transaction: committed when it ends, rolled back when it raises.

        Errors: DatabaseUnavailable, and CommitUnknown when the connection broke during COMMIT.
        """
        with translating_outages(), keeping_cancellation() as heed_cancellation:
            async with self.engine.connect() as connection:
                await _characterise(connection, isolation, read_only=read_only)
                # SQLAlchemy commits nothing that was only done on the driver's own connection
                # below it, unless it knows that a transaction has begun.
                await connection.begin()
                yield connection
                heed_cancellation()
                await _refuse_aborted(connection)
                with committing():
                    await connection.commit()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection for reading: each statement is a transaction of its own.

        That saves the trips of BEGIN and ROLLBACK. Reads that must agree with one another belong
        in `transaction(isolation="REPEATABLE READ", read_only=True)`. Errors: DatabaseUnavailable.
        """
        with translating_outages(), keeping_cancellation():
            async with self.engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                yield connection

    @asynccontextmanager
    async def raw(self) -> AsyncIterator[RawConnection]:
        """Lend a psycopg connection, for COPY, pipelines and SQL written for speed.

        Transactions are the caller's: what it does not commit is rolled back on return. Wrap a
        COMMIT in `committing()`. Errors: DatabaseUnavailable.
        """
        with translating_outages(), keeping_cancellation():
            connection = await self._acquire()
            try:
                yield connection
            finally:
                await asyncio.shield(self._take_back(connection))

    async def fetch(
        self, statement: LiteralString, parameters: Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        """Return the rows of a statement that only reads, for reads that are made all the time.

        Errors: DatabaseUnavailable.
        """
        async with self.raw() as connection:
            await connection.set_autocommit(True)
            cursor = connection.cursor(binary=True)
            return await (await cursor.execute(statement, parameters)).fetchall()

    async def healthy(self) -> bool:
        """Tell whether the database answers a query right now, within two seconds."""
        try:
            async with asyncio.timeout(_HEALTH_SECONDS), self.raw() as connection:
                await connection.execute("SELECT 1")
        except (DatabaseUnavailable, TimeoutError):
            return False
        return True

    def pool_statistics(self) -> dict[str, int]:
        """Return the pool's counters and sizes, by psycopg's names, for metrics."""
        return self._pool.get_stats()

    async def _lend(self) -> "_PooledConnection":
        """Acquire a connection for SQLAlchemy, which gives it back by closing it."""
        connection = await self._acquire()
        connection.lender = self._pool
        return connection

    async def _acquire(self) -> "_PooledConnection":
        deadline = time.monotonic() + self._acquire_seconds
        while True:
            connection = await self._getconn(deadline)
            self._note(reachable=True)
            if _alive(connection):
                await _make_plain(connection)
                return connection
            await self._pool.putconn(connection)

    async def _take_back(self, connection: "_PooledConnection") -> None:
        if connection.info.pipeline_status != PipelineStatus.OFF:
            # Its user was cancelled inside a pipeline, and answers are still on the line: the next
            # one would take them for its own.
            await connection.close()
        if connection.info.transaction_status in _OPEN:
            with suppress(psycopg.Error):
                await connection.rollback()
        await self._pool.putconn(connection)

    async def _getconn(self, deadline: float) -> "_PooledConnection":
        """Wait for a connection in short turns: each one makes the pool try to reconnect."""
        while True:
            remaining = deadline - time.monotonic()
            turn = min(max(remaining, 0.0), 2 * _RECONNECT_SECONDS)
            try:
                return await self._pool.getconn(timeout=turn)
            except psycopg_pool.PoolTimeout:
                if remaining <= turn:
                    self._note(reachable=False)
                    raise

    def _note(self, *, reachable: bool) -> None:
        """Log that connections ran out or came back: once each time, not once per caller."""
        if reachable != self._reachable:
            self._reachable = reachable
            event = "database connected again" if reachable else "no database connection"
            _log.warning(event, database=self.name, **self._pool.get_stats())


@contextmanager
def translating_outages() -> Iterator[None]:
    """Raise DatabaseUnavailable in place of any driver error that says so; let others pass."""
    try:
        yield
    except _DRIVER_ERRORS as error:
        if is_outage(error):
            raise DatabaseUnavailable(_first_line(error)) from error
        raise


@contextmanager
def keeping_cancellation() -> Iterator[Callable[[], None]]:
    """Raise CancelledError at the end of a block in which the task was told to stop and went on.

    Before Python 3.12 `asyncio.wait_for`, through which psycopg waits, loses a cancellation that
    arrives together with its result: a loop over the database would then never end. The client of
    Redis may take one for a timeout of its own. What is yielded raises it earlier, for a block that
    must not do its last step any more.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0

    def heed() -> None:
        if task and task.cancelling() > before:
            raise asyncio.CancelledError

    yield heed
    heed()


@contextmanager
def committing() -> Iterator[None]:
    """Mark the COMMIT: an outage inside leaves nobody knowing, and is raised as CommitUnknown."""
    try:
        yield
    except _DRIVER_ERRORS as error:
        if is_outage(error):
            raise CommitUnknown(_first_line(error)) from error
        raise


def is_outage(error: BaseException) -> bool:
    """Tell whether an error of psycopg or SQLAlchemy means that the database is unavailable."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
    if not isinstance(error, psycopg.Error) or isinstance(error, psycopg.errors.PipelineAborted):
        return False
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError)
    return error.sqlstate in _OUTAGE_STATES or error.sqlstate[:2] in _OUTAGE_CLASSES


# Connection lost, out of resources, broken system, and of "operator intervention": shut down or
# restarting, or cancelled by the statement timeout. Then a session ended for being idle too long.
_OUTAGE_CLASSES = frozenset({"08", "53", "57", "58"})
_OUTAGE_STATES = frozenset({"25P03", "25P04"})


class _PooledConnection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """A connection that SQLAlchemy may believe to own.

    Two habits of the pair would hurt. The pool's own `close_returns` does not take back a broken
    connection, so its place would be lost for good; and SQLAlchemy adds a notice handler whenever
    it is lent a connection, so the list would grow for ever.
    """

    lender: "psycopg_pool.AsyncConnectionPool[_PooledConnection] | None" = None

    async def close(self) -> None:
        """Go back to the pool that lent this connection, also when broken; else close."""
        lender, self.lender = self.lender, None
        if lender is None:
            await super().close()
        else:
            await lender.putconn(self)

    def add_notice_handler(self, callback: Callable[[psycopg.errors.Diagnostic], None]) -> None:
        """Register a handler once, however often it is offered."""
        with suppress(ValueError):
            self.remove_notice_handler(callback)
        super().add_notice_handler(callback)


def _conninfo(url: str, name: str, statement_timeout: timedelta) -> str:
    settings = {
        "timezone": "UTC",
        "statement_timeout": f"{statement_timeout // timedelta(milliseconds=1)}",
        "idle_in_transaction_session_timeout": f"{_IDLE_IN_TRANSACTION_SECONDS}s",
    }
    own = str(conninfo_to_dict(url).get("options") or "")
    options = " ".join([own, *(f"-c {key}={value}" for key, value in settings.items())])
    return make_conninfo(
        url,
        application_name=name,
        connect_timeout=_CONNECT_SECONDS,
        options=options.strip(),
        **_KEEPALIVE,
    )


def _alive(connection: psycopg.AsyncConnection[Any]) -> bool:
    """Tell, without a trip to the server, whether it has hung up on us meanwhile.

    The first call may read only the farewell message, the second then meets the end of the stream.
    """
    try:
        connection.pgconn.consume_input()
        connection.pgconn.consume_input()
    except psycopg.OperationalError:
        return False
    return not connection.closed


async def _make_plain(connection: psycopg.AsyncConnection[Any]) -> None:
    """Undo what its last user made of a connection: one who was cancelled leaves it as it was."""
    if connection.autocommit:
        await connection.set_autocommit(False)
    if connection.read_only is not None:
        await connection.set_read_only(None)
    if connection.isolation_level is not None:
        await connection.set_isolation_level(None)


async def _characterise(
    connection: AsyncConnection, isolation: Isolation | None, *, read_only: bool
) -> None:
    options: dict[str, Any] = {}
    if isolation is not None:
        options["isolation_level"] = isolation
    if read_only:
        options["postgresql_readonly"] = True
    if options:
        await connection.execution_options(**options)


async def _refuse_aborted(connection: AsyncConnection) -> None:
    """Raise when a swallowed error already aborted the transaction.

    Postgres answers such a COMMIT with a quiet ROLLBACK, and the caller would believe it.
    """
    driver = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver, psycopg.AsyncConnection)  # noqa: S101  of our own pool
    if driver.info.transaction_status == TransactionStatus.INERROR:
        raise psycopg.errors.InFailedSqlTransaction("nothing was committed: a statement had failed")


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
