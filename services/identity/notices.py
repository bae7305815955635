"""Notices: letters about what happens to an account, so that its owner hears of what he did not do.

Nothing that a client wrote stands in them: who signs in with a stolen password would otherwise have
us send what he likes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import sessions, throttle, throttles, traces, users
from services.identity.device import UNKNOWN, Device, recognised
from services.identity.geography import Countries
from services.identity.ground import Ground
from services.identity.letter import LetterKind, moment
from services.identity.post import NO_FACTS, Post
from services.identity.trace import Kind
from services.identity.user import User, address_key

_BEGINNING = timedelta(days=1)
"""A first session this soon after the registration is the user's own."""

_UNKNOWN = "–"
_log = structlog.stdlib.get_logger()


class Notices:
    """Writes to users about their accounts, a few letters of a kind an hour at most."""

    def __init__(self, ground: Ground, post: Post, countries: Countries | None) -> None:
        """Tell where somebody signed in by `countries`, if there are any."""
        self._clock = ground.clock
        self._post = post
        self._countries = countries

    async def write(
        self,
        connection: AsyncConnection,
        kind: LetterKind,
        user_id: UUID,
        facts: Mapping[str, str] = NO_FACTS,
    ) -> None:
        """Write to a user in the caller's transaction: the time, and what else is to be told."""
        now = self._clock.now()
        if not await throttles.has_room(connection, throttle.notice(kind, str(user_id)), now):
            _log.warning("a notice was one too many", kind=kind, user_id=str(user_id))
            return
        key = address_key((await users.find(connection, user_id)).email) or ""
        await self._post.queue(connection, kind, key, {"time": moment(now), **facts})

    async def sign_in(self, connection: AsyncConnection, user: User, device: Device) -> None:
        """Write to a user who is about to sign in, unless it is where he was before.

        Nor is anything written about the first session of who has just registered.
        """
        if await _has_been_at(connection, user.user_id, device):
            return
        young = self._clock.now() < user.registered_at + _BEGINNING
        if young and not await sessions.any_of(connection, user.user_id):
            return
        facts = {
            "device": ", ".join(recognised(device.agent)) or _UNKNOWN,
            "address": _UNKNOWN if device.address == UNKNOWN.address else device.address,
            "country": self._country(device.address) or _UNKNOWN,
        }
        await self.write(connection, LetterKind.NEW_DEVICE, user.user_id, facts)

    def _country(self, address: str) -> str:
        return self._countries.of(address) if self._countries else ""


async def _has_been_at(connection: AsyncConnection, user_id: UUID, device: Device) -> bool:
    """Tell whether a user has signed in with this browser, or with a program from there."""
    if await sessions.has_been_at(connection, user_id, device):
        return True
    # Traces are remembered longer than sessions.
    kind, value = (Kind.DEVICE, device.cookie) if device.cookie else (Kind.ADDRESS, device.address)
    return await traces.was_seen(connection, user_id, kind, value)
