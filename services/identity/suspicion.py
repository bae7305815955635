"""What staff see of traces, links and flags, and what they note about them."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from services.identity import flags, traces, user_clusters
from services.identity.flag import Flag, Rule, State
from services.identity.ground import Ground
from services.identity.staffing import existing
from services.identity.trace import Bounds, Kind, Link, Trace
from services.identity.traces import Key
from services.identity.user_clusters import Cluster
from services.kit.audit import audited
from services.kit.errors import Failure
from services.kit.reason import Reason


class Linked(NamedTuple):
    """Somebody who is linked with a user, and by what."""

    user_id: UUID
    shared: list[Trace]
    """None for who is linked through others only."""


class Suspicion:
    """Answers staff, and keeps what they note."""

    def __init__(self, ground: Ground, bounds: Bounds) -> None:
        self._database = ground.database
        self._journal = ground.journal
        self._clock = ground.clock
        self.bounds = bounds

    async def traces(
        self, user_id: UUID, kind: Kind | None, before: Key | None, limit: int
    ) -> list[Trace]:
        """Return a user's traces, the one seen last first. Failure USER_NOT_FOUND."""
        async with self._database.connection() as connection:
            await existing(connection, user_id)
            return await traces.page(
                connection, user_id, self.bounds, kind=kind, before=before, limit=limit
            )

    async def linked(self, user_id: UUID, after: UUID | None, limit: int) -> list[Linked]:
        """Return who is linked with a user, in order of ids. Failure USER_NOT_FOUND."""
        async with self._database.connection() as connection:
            await existing(connection, user_id)
            cluster = await user_clusters.cluster_of(connection, user_id)
            if cluster is None:
                return []
            # One more, since the user himself may be among them.
            found = await user_clusters.members(connection, cluster, after, limit + 1)
            others = [other for other in found if other != user_id][:limit]
            shared = await traces.in_common(connection, user_id, others, self.bounds)
        return [
            Linked(other, [trace for trace in shared if trace.user_id == other]) for other in others
        ]

    async def clusters(
        self, user_id: UUID | None, before: UUID | None, limit: int
    ) -> list[Cluster]:
        """Return clusters, the one whose first user is newest first; or that of one user."""
        async with self._database.connection() as connection:
            only = None
            if user_id is not None:
                only = await user_clusters.cluster_of(connection, user_id)
                if only is None:
                    return []
            return await user_clusters.page(connection, only, before, limit)

    async def links(
        self, cluster_id: UUID, kind: Kind | None, before: tuple[str, str] | None, limit: int
    ) -> list[Link]:
        """Return what links the users of a cluster, devices first; none for one that is no more."""
        async with self._database.connection() as connection:
            return await traces.links(
                connection, cluster_id, self.bounds, kind=kind, before=before, limit=limit
            )

    async def flags(
        self,
        *,
        state: State | None,
        rule: Rule | None,
        user_id: UUID | None,
        before: UUID | None,
        limit: int,
    ) -> list[Flag]:
        """Return flags that meet the conditions that are given, the newest first."""
        async with self._database.connection() as connection:
            return await flags.page(
                connection, state=state, rule=rule, user_id=user_id, before=before, limit=limit
            )

    async def resolve(self, flag_id: UUID, person: UUID, note: str) -> Flag:
        """Note what came of a flag; the first note stands. Failure FLAG_NOT_FOUND."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            flag = await flags.lock(connection, flag_id)
            if flag is None:
                raise Failure(Reason.FLAG_NOT_FOUND, "There is no such flag.")
            if flag.state is State.RESOLVED:
                return flag
            resolved = await flags.resolve(connection, flag, person, note, now)
            told = {"flagId": str(flag_id), "rule": flag.rule}
            subject = f"user:{flag.user_id}"
            record = audited("fraud.resolve", subject, now, after=told, reason=note)
            await self._journal.append(connection, [record], now)
        self._journal.notify()
        return resolved
