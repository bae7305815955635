"""Who calls: the one reading of the `authorization` that comes with a call."""

from __future__ import annotations

from services.kit.clock import Clock
from services.kit.errors import Failure
from services.kit.principal import ANONYMOUS, Principal
from services.kit.reason import Reason
from services.kit.revocations import Revocations
from services.kit.tokens import Keyring

_BEARER = "Bearer "


class Callers:
    """Tells callers by their tokens."""

    def __init__(
        self, service: str, keyring: Keyring, clock: Clock, revocations: Revocations | None = None
    ) -> None:
        """Believe tokens made for `service`; without `revocations` they count until they expire."""
        self._service = service
        self._keyring = keyring
        self._clock = clock
        self._revocations = revocations

    def of(self, authorization: str | bytes | None) -> Principal:
        """Return who brings this authorization; nobody in particular where there is none.

        Failures: UNAUTHENTICATED, TOKEN_EXPIRED, SESSION_ENDED; UNAVAILABLE while it is not known
        what was taken back.
        """
        if authorization is None:
            return ANONYMOUS
        if not isinstance(authorization, str) or not authorization.startswith(_BEARER):
            raise Failure(Reason.UNAUTHENTICATED, "The authorization must be a bearer token.")
        token = authorization.removeprefix(_BEARER)
        principal = self._keyring.verify(token, self._service, self._clock.now())
        if self._revocations is not None:
            self._revocations.check(principal)
        return principal
