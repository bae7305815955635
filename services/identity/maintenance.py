"""Whether the platform is under maintenance: one switch, which staff turn, and its table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity.ground import Ground
from services.kit.audit import audited
from services.kit.errors import Failure, Violation
from services.kit.reason import Reason

_metadata = sa.MetaData()

maintenance = sa.Table(
    "maintenance",
    _metadata,
    sa.Column("only_row", sa.Boolean, primary_key=True),
    sa.Column("active", sa.Boolean),
    sa.Column("note", sa.Text),
    sa.Column("ends_at", sa.DateTime(timezone=True)),
    sa.Column("changed_at", sa.DateTime(timezone=True)),
)


@dataclass(frozen=True, slots=True)
class Maintenance:
    """How it is, and what users are told of it."""

    active: bool
    note: str = ""
    ends_at: datetime | None = None
    changed_at: datetime | None = None


class MaintenanceSwitch:
    """Turns maintenance on and off, and puts on record who did."""

    def __init__(self, ground: Ground) -> None:
        self._database = ground.database
        self._journal = ground.journal
        self._clock = ground.clock

    async def now(self) -> Maintenance:
        """Return how it is."""
        async with self._database.connection() as connection:
            return await _present(connection)

    async def set(self, *, active: bool, note: str, ends_at: datetime | None) -> Maintenance:
        """Change it. Failure INVALID_REQUEST for an end that has passed."""
        now = self._clock.now()
        if active and ends_at is not None and ends_at <= now:
            violation = Violation("end_time", "must lie in the future")
            message = "end_time must lie in the future."
            raise Failure(Reason.INVALID_REQUEST, message, violations=[violation])
        wanted = Maintenance(active, note, ends_at, now)
        async with self._database.transaction() as connection:
            before = await _present(connection, lock=True)
            values = asdict(wanted)
            store = insert(maintenance).values(only_row=True, **values)
            await connection.execute(
                store.on_conflict_do_update(index_elements=["only_row"], set_=values)
            )
            record = audited(
                "maintenance.set", "platform", now, before=asdict(before), after=values
            )
            await self._journal.append(connection, [record], now)
        self._journal.notify()
        return wanted


async def _present(connection: AsyncConnection, *, lock: bool = False) -> Maintenance:
    query = sa.select(maintenance)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        return Maintenance(active=False)
    return Maintenance(row.active, row.note, row.ends_at, row.changed_at)
