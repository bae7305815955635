"""How users refer others: by a code of their own, and whom that brought.

The referrer is set in the registration's own transaction, once. It is not set where referrer and
referred seem to be one person or household; the registration goes on, and who registers is not
told, so that nobody learns how to look like two.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import referrals, sessions, traces, user_clusters, users
from services.identity.flag import Flag, Rule
from services.identity.flagging import raise_flag
from services.identity.ground import Ground
from services.identity.referral import (
    CODE_BYTES,
    Facts,
    Referral,
    Refusal,
    code_of,
    refusal_of,
    spelt,
)
from services.identity.staffing import existing
from services.identity.trace import Bounds, Kind
from services.identity.user import User
from services.kit.audit import By, audited
from services.kit.errors import Failure
from services.kit.journal import NewEvent
from services.kit.origin import NOWHERE, Origin
from services.kit.reason import Reason

_TRIES_MAX = 5


class Referred(NamedTuple):
    """Some of those whom a user has referred."""

    users: list[User]
    total: int
    """How many there are, whenever they registered."""


class Referrals(NamedTuple):
    """What staff see: by whose link a user came, and who came by his."""

    own: Referral | None
    others: list[Referral]


class _Place(NamedTuple):
    here: bool
    """Whether the referrer was seen there."""

    links: bool
    """Whether few enough are there to mean anything, once somebody else is."""

    linked: set[UUID]
    """Who would be linked with somebody else there."""


class Referring:
    """Keeps codes, and by whose somebody came."""

    def __init__(self, ground: Ground, bounds: Bounds, site_url: str) -> None:
        self._database = ground.database
        self._clock = ground.clock
        self._ids = ground.ids
        self._random = ground.random
        self._bounds = bounds
        self._site_url = site_url.rstrip("/")

    def link(self, code: str) -> str:
        """Return the address by which somebody signs up with a code."""
        return f"{self._site_url}/sign-up?ref={code}"

    async def own_code(self, user_id: UUID) -> str:
        """Return a user's code, made when it is first asked for; it never changes."""
        async with self._database.transaction() as connection:
            for _ in range(_TRIES_MAX):
                if code := await referrals.code_of(connection, user_id):
                    return code
                fresh = code_of(self._random(CODE_BYTES))
                await referrals.add_code(connection, user_id, fresh, self._clock.now())
        raise RuntimeError(f"{_TRIES_MAX} random codes in a row were taken")

    async def referred(
        self, user_id: UUID, since: datetime, before: UUID | None, limit: int
    ) -> Referred:
        """Return whom a user has referred since a moment, who registered last first."""
        async with self._database.connection() as connection:
            found = await referrals.page(
                connection, user_id, counted_since=since, before=before, limit=limit
            )
            shown = await users.some(connection, [item.user_id for item in found])
            return Referred(shown, await referrals.count(connection, user_id))

    async def of_user(
        self, user_id: UUID, refusal: Refusal | None, before: UUID | None, limit: int
    ) -> Referrals:
        """Return what staff see, what was refused too. Failure USER_NOT_FOUND."""
        async with self._database.connection() as connection:
            await existing(connection, user_id)
            others = await referrals.page(
                connection, user_id, refusal=refusal, before=before, limit=limit
            )
            return Referrals(await referrals.of(connection, user_id), others)

    async def referrer(self, code: str) -> UUID:
        """Return whose code this is. Failure REFERRAL_CODE_UNKNOWN.

        It is asked before anything is stored: who mistyped a code can only set it right before.
        """
        async with self._database.connection() as connection:
            owner = await referrals.owner_of(connection, spelt(code))
        if owner is None:
            raise Failure(Reason.REFERRAL_CODE_UNKNOWN, "Nobody has this referral code.")
        return owner

    async def refer(
        self, connection: AsyncConnection, user: User, referrer: UUID, where: Origin
    ) -> list[NewEvent]:
        """Store who has referred a new user, or why nobody has; return what goes on record."""
        facts = await self._facts(connection, user, referrer, where)
        referral = Referral(user.user_id, referrer, user.registered_at, refusal_of(facts))
        await referrals.add(connection, referral)
        told = {"referrerId": str(referrer), "refusal": referral.refusal or ""}
        subject = f"user:{user.user_id}"
        by = By(subject, where.network)
        record = audited("user.refer", subject, user.registered_at, by=by, after=told)
        return [record, *await self._flag(connection, referral)]

    async def _flag(self, connection: AsyncConnection, referral: Referral) -> list[NewEvent]:
        if referral.refusal in {None, Refusal.REFERRER_BANNED}:
            return []
        detail = f"referred by {referral.referrer_id}: {referral.refusal}"
        flag = Flag(self._ids(), Rule.OWN_REFERRAL, referral.user_id, detail, referral.referred_at)
        return await raise_flag(connection, flag)

    async def _facts(
        self, connection: AsyncConnection, user: User, referrer: UUID, where: Origin
    ) -> Facts:
        device = await self._place(connection, Kind.DEVICE, where.device, referrer)
        address = await self._place(connection, Kind.ADDRESS, where.address, referrer)
        return Facts(
            banned=await users.any_banned(connection, [referrer], user.registered_at),
            at_device=device.here,
            at_address=address.here and address.links,
            in_cluster=referrer in device.linked | address.linked,
        )

    async def _place(
        self, connection: AsyncConnection, kind: Kind, value: str, referrer: UUID
    ) -> _Place:
        if value in {"", NOWHERE.address}:
            return _Place(here=False, links=False, linked=set())
        most = self._bounds.most(kind)
        sharers = await traces.sharers(connection, kind, value, most)
        links = len(sharers) < most
        return _Place(
            here=await traces.was_seen(connection, referrer, kind, value)
            or await sessions.began_at(connection, kind, value, referrer),
            links=links,
            linked=await user_clusters.with_their_clusters(connection, sharers) if links else set(),
        )
