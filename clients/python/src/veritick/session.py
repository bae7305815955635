"""One signed-in session: its tokens, and their renewal by one caller for all."""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta

from veritick.clock import ServerClock
from veritick.errors import VeritickError
from veritick.identity.v1.auth_service_pb2 import RefreshSessionRequest, RefreshSessionResponse
from veritick.identity.v1.user_pb2 import Session
from veritick.rest import Rest

_RENEW_BEFORE_END = timedelta(seconds=30)
_OVER = {"SESSION_ENDED", "REFRESH_TOKEN_REUSED", "USER_BLOCKED", "INVALID_CREDENTIALS"}


class Tokens:
    """Keeps the tokens of a session fresh.

    A refresh token works once, and presenting it twice ends the session; so however many calls
    find the access token expired, one of them renews it and the others wait for that.
    """

    def __init__(self, rest: Rest, clock: ServerClock) -> None:
        """Begin signed out."""
        self._rest = rest
        self._clock = clock
        self._renewing = asyncio.Lock()
        self._session: Session | None = None

    @property
    def session(self) -> Session | None:
        """The session with its newest tokens, or None when signed out."""
        return self._session

    def begin(self, session: Session) -> None:
        """Use this session from now on."""
        self._session = session

    def end(self) -> None:
        """Forget the session."""
        self._session = None

    async def access_token(self) -> str | None:
        """Return a token that is valid for a while yet, or None when signed out."""
        session = self._session
        if session is None:
            return None
        ends = session.expire_time.ToDatetime(tzinfo=UTC)
        if self._clock.now() < ends - _RENEW_BEFORE_END:
            return session.access_token
        return await self.renewed(session.access_token)

    async def renewed(self, expired: str) -> str | None:
        """Return the token that takes the place of an expired one.

        Raises VeritickError when the session is over; the next call will be one of nobody.
        """
        async with self._renewing:
            if self._session is not None and self._session.access_token == expired:
                self._session = await self._refresh(self._session.refresh_token)
            return self._session.access_token if self._session else None

    async def _refresh(self, refresh_token: str) -> Session:
        request = RefreshSessionRequest(refresh_token=refresh_token)
        try:
            # Repeating at once is what the contract allows to a client that lost the answer.
            answer = await self._rest.call(
                request, RefreshSessionResponse, token=None, repeatable=True
            )
        except VeritickError as error:
            if error.reason in _OVER:
                self.end()
            raise
        return answer.message.session
