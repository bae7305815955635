"""Identity, as far as it tells others what was taken back: a list that tests add to."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from services.kit.wire import to_timestamp
from veritick.identity.v1.revocation_service_pb2 import (
    Authority,
    Revocation,
    WatchRevocationsRequest,
    WatchRevocationsResponse,
)
from veritick.identity.v1.revocation_service_pb2_grpc import RevocationServiceServicer


@dataclass
class Revoked(RevocationServiceServicer):
    """Tells what was taken back, and at once what is taken back later."""

    told: list[Revocation] = field(default_factory=list)
    listeners: int = 0
    _grown: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self, session_id: str) -> None:
        """End a session."""
        self._tell(Revocation(grant_id=session_id))

    def outdate(self, user_id: str, version: int) -> None:
        """Change what a user may do."""
        self._tell(Revocation(authority=Authority(user_id=user_id, version=version)))

    def _tell(self, revocation: Revocation) -> None:
        revocation.until_time.CopyFrom(to_timestamp(datetime.now(UTC) + timedelta(minutes=16)))
        self.told.append(revocation)
        self._grown.set()
        self._grown = asyncio.Event()

    async def WatchRevocations(  # noqa: N802  the name in the contract
        self, request: WatchRevocationsRequest, context: object
    ) -> AsyncIterator[WatchRevocationsResponse]:
        """Tell everything, then what comes."""
        told = 0
        self.listeners += 1
        while True:
            fresh, told = self.told[told:], len(self.told)
            yield WatchRevocationsResponse(revocations=fresh, snapshot_complete=True)
            if told == len(self.told):
                grown = self._grown
                try:
                    async with asyncio.timeout(1):
                        await grown.wait()
                except TimeoutError:
                    continue
