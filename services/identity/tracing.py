"""Tracing: what sign-ins show about who belongs together, and what about them needs a look.

It follows the sessions that begin, a moment later, so that nobody waits for it when signing in.
Clusters are kept up to date by what is new: when a user is first seen at a trace, only the clusters
of those who share it are put together anew.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import protections, referrals, sessions, traces, user_clusters, users
from services.identity.flag import LATELY, NEW_FOR, Facts, Flag, Thresholds, tripped
from services.identity.flagging import raise_flag
from services.identity.geography import NOWHERE, Countries
from services.identity.ground import Ground
from services.identity.trace import Bounds, Kind, Sighting, clusters, sightings
from services.kit.jobs import Job
from services.kit.journal import NewEvent

CLUSTER_MAX = 1_000
"""A cluster that would become larger stays as it is: no person can make sense of it."""

_EVERY = timedelta(seconds=2)
_TOGETHER = 50
_log = structlog.stdlib.get_logger()


class Tracing:
    """Follows the sessions that begin."""

    def __init__(
        self, ground: Ground, bounds: Bounds, thresholds: Thresholds, countries: Countries | None
    ) -> None:
        self._database = ground.database
        self._journal = ground.journal
        self._clock = ground.clock
        self._ids = ground.ids
        self._bounds = bounds
        self._thresholds = thresholds
        self._countries = countries

    def job(self) -> Job:
        """Return this as a job; it bears being repeated."""
        return Job("trace-sessions", _EVERY, self.run)

    async def run(self) -> None:
        """Look at the sessions that began since the last time."""
        while await self._look():
            pass

    async def _look(self) -> bool:
        """Look at some of them; tell whether there may be more."""
        async with self._database.transaction() as connection:
            begun = await sessions.untraced(connection, _TOGETHER)
            raised: list[NewEvent] = []
            for session in begun:
                for sighting in sightings(session):
                    raised += await self._take(connection, sighting)
            await sessions.note_traced(connection, [session.session_id for session in begun])
            if raised:
                await self._journal.append(connection, raised, self._clock.now())
        self._journal.notify()
        return len(begun) == _TOGETHER

    async def _take(self, connection: AsyncConnection, sighting: Sighting) -> list[NewEvent]:
        """Store a sighting with all that follows from it; return what goes on record."""
        kind, value, user_id = sighting.kind, sighting.value, sighting.user_id
        most = self._bounds.most(kind)
        known = await traces.was_seen(connection, user_id, kind, value)
        await traces.note(connection, sighting, self._country(sighting))
        sharers = await traces.sharers(connection, kind, value, most + 2)
        # Beyond one more than link, nothing about who is linked can have changed.
        if not known and 1 < len(sharers) <= most + 1:
            affected = await user_clusters.with_their_clusters(connection, [user_id, *sharers])
            await relink(connection, affected, self._bounds)
        others = [sharer for sharer in sharers if sharer != user_id]
        facts = await self._facts(connection, sighting, others)
        return [
            event
            for rule, detail in tripped(kind, facts, self._thresholds)
            for event in await raise_flag(
                connection, Flag(self._ids(), rule, user_id, detail, sighting.seen_at)
            )
        ]

    def _country(self, sighting: Sighting) -> str:
        if self._countries is None or sighting.kind is not Kind.ADDRESS:
            return NOWHERE
        return self._countries.of(sighting.value)

    async def _facts(
        self, connection: AsyncConnection, sighting: Sighting, others: Sequence[UUID]
    ) -> Facts:
        kind, value, user_id, _, seen_at = sighting
        lately = seen_at - LATELY
        newest = await traces.sharers(connection, kind, value, self._thresholds.looked_at)
        return Facts(
            new_users=await users.registered_since(connection, newest, seen_at - NEW_FOR),
            new_devices=await traces.new_devices(connection, user_id, lately),
            countries=await traces.countries(connection, user_id, lately),
            with_banned=await users.any_banned(connection, others, seen_at),
            with_excluded=await protections.any_excluded(connection, others, seen_at),
            # With one more than may share it, it links nobody.
            with_referral=len(others) < self._bounds.most(kind)
            and await referrals.any_between(connection, user_id, others),
        )


async def relink(connection: AsyncConnection, affected: Collection[UUID], bounds: Bounds) -> None:
    """Put the clusters of these users, who are all that are in them, together anew."""
    if len(affected) > CLUSTER_MAX:
        _log.warning("a cluster is too large to be kept", users=len(affected))
        return
    shared = await traces.shared(connection, affected, bounds)
    await user_clusters.assign(connection, affected, clusters(shared))
