"""Whose call it is: a program's bearer token, or a page's cookies.

The edge keeps no session. A page's cookies hold the tokens themselves, where scripts cannot read
them; which messages carry tokens is a table, not a route. Changes asked for with cookies must come
from a page of our own: it sends a header that no foreign page can send without asking first, and
the browser says where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from edge.rest.routes import Route
from services.kit.clock import Clock
from services.kit.errors import Failure
from services.kit.principal import ANONYMOUS, Principal
from services.kit.reason import Reason
from services.kit.revocations import Revocations
from services.kit.settings import Mode
from services.kit.tokens import Keyring
from services.kit.wire import to_datetime

COOKIE_HEADER = "veritick-session"
OWN_NAME = "edge"
DEVICE_COOKIE = "veritick_device"
_DEVICE_SECONDS = 400 * 24 * 3600
_DEVICE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_BEARER = "Bearer "
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Kept:
    """A token that a page keeps in a cookie."""

    cookie: str
    field: str
    expires: str
    """The field that tells when the token stops being accepted."""


ACCESS = Kept("veritick_access", "access_token", "expire_time")
REFRESH = Kept("veritick_refresh", "refresh_token", "refresh_expire_time")

GIVEN_BY = {"veritick.identity.v1.Session": (ACCESS, REFRESH)}
"""Messages whose tokens go into cookies instead of the body."""

TAKEN_BY = {"veritick.identity.v1.RefreshSessionRequest": REFRESH}
"""Requests that take a token from its cookie instead of the body."""

ENDED_BY = frozenset({"veritick.identity.v1.LogOutRequest"})
"""Requests after which the cookies are cleared."""

_ENDINGS = frozenset(
    {
        Reason.SESSION_ENDED,
        Reason.REFRESH_TOKEN_REUSED,
        Reason.SESSION_TIME_LIMIT,
        Reason.USER_BLOCKED,
    }
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and how the answer's tokens are to be given."""

    principal: Principal
    token: str | None
    in_cookies: bool
    """A page of ours: tokens go into cookies."""

    cookies: dict[str, str]
    device: str = ""
    """The random id by which a browser is known again; a page's only."""


NOBODY = Caller(ANONYMOUS, None, in_cookies=False, cookies={})


class Sessions:
    """Reads callers from requests, and puts tokens into cookies."""

    def __init__(
        self,
        keyring: Keyring,
        clock: Clock,
        mode: Mode,
        routes: Iterable[Route],
        origins: Collection[str] = (),
        *,
        revocations: Revocations,
        new_device: Callable[[], str],
    ) -> None:
        """Believe the keyring's public keys; `origins` are pages of ours on other hosts.

        What was revoked is refused as far as it is known here; the service called knows it all.
        """
        self._revocations = revocations
        self._new_device = new_device
        self._keyring = keyring
        self._clock = clock
        self._secure = mode == "production"
        self._origins = frozenset(origins)
        # A refresh token travels only to the one path that needs it.
        self._paths = {
            kept.cookie: route.template.text
            for route in routes
            if (kept := TAKEN_BY.get(route.request.full_name)) is not None
        }

    def caller(self, headers: Headers, verb: str, *, public: bool) -> Caller:
        """Return who calls.

        Failure UNAUTHENTICATED or TOKEN_EXPIRED for a bad token, CSRF_REJECTED for a change
        that a page of ours did not ask for. A public call with a cookie that no longer counts
        is an anonymous one: signing in again must be possible.
        """
        authorization = headers.get("authorization")
        if authorization is not None:
            return self.bearer(_bearer(authorization))
        cookies = cookie_parser(headers.get("cookie", ""))
        token = cookies.get(self._name(ACCESS.cookie))
        in_cookies = headers.get(COOKIE_HEADER, "").lower() == "cookie"
        if verb not in _SAFE and (in_cookies or token is not None):
            self._require_own_page(headers, declared=in_cookies)
        return self._with_cookie(token, cookies, in_cookies=in_cookies, public=public)

    def bearer(self, token: str) -> Caller:
        """Return who calls with this access token. Failures: those of `caller`."""
        return Caller(self._verify(token), token, in_cookies=False, cookies={})

    def fill(self, request: Message, caller: Caller) -> None:
        """Put a token that the page keeps in a cookie into the request that needs it.

        Failure UNAUTHENTICATED when the page has none.
        """
        kept = TAKEN_BY.get(request.DESCRIPTOR.full_name)
        if kept is None or not caller.in_cookies or getattr(request, kept.field):
            return
        token = caller.cookies.get(self._name(kept.cookie))
        if not token:
            raise Failure(Reason.UNAUTHENTICATED, "There is no session to continue.")
        setattr(request, kept.field, token)

    def keep(self, response: Message, caller: Caller) -> list[str]:
        """Move the tokens of a response into cookies; returns the `Set-Cookie` values."""
        if not caller.in_cookies:
            return []
        cookies = []
        for message in _with_tokens(response):
            for kept in GIVEN_BY[message.DESCRIPTOR.full_name]:
                if not getattr(message, kept.field):
                    continue  # the page keeps what it has
                cookies.append(self._cookie(kept, message))
                message.ClearField(kept.field)
        if cookies and not self._device(caller.cookies):
            cookies.append(self._written(DEVICE_COOKIE, caller.device, _DEVICE_SECONDS))
        return cookies

    def end(self, request: Message, caller: Caller, failure: Failure | None) -> list[str]:
        """Return the `Set-Cookie` values that clear the cookies when a call ended the session."""
        name = request.DESCRIPTOR.full_name
        ended = name in ENDED_BY and failure is None
        lost = name in TAKEN_BY and failure is not None and failure.reason in _ENDINGS
        if not (caller.in_cookies and (ended or lost)):
            return []
        return [self._written(kept.cookie, "", 0) for kept in (ACCESS, REFRESH)]

    def _with_cookie(
        self, token: str | None, cookies: dict[str, str], *, in_cookies: bool, public: bool
    ) -> Caller:
        device = self._device(cookies) or (self._new_device() if in_cookies else "")
        if token is not None:
            try:
                principal = self._verify(token)
            except Failure:
                if not public:
                    raise
            else:
                return Caller(principal, token, in_cookies, cookies, device)
        return Caller(ANONYMOUS, None, in_cookies, cookies, device)

    def _device(self, cookies: Mapping[str, str]) -> str:
        given = cookies.get(self._name(DEVICE_COOKIE), "")
        return given if _DEVICE.fullmatch(given) else ""

    def _verify(self, token: str) -> Principal:
        principal = self._keyring.verify(token, OWN_NAME, self._clock.now())
        if principal.kind != "user":
            raise Failure(Reason.UNAUTHENTICATED, "This token does not speak for a user.")
        self._revocations.judge(principal)
        return principal

    def _require_own_page(self, headers: Headers, *, declared: bool) -> None:
        if declared and self._from_own_page(headers):
            return
        text = "A change with a session cookie needs `Veritick-Session: cookie` from our own page."
        raise Failure(Reason.CSRF_REJECTED, text)

    def _from_own_page(self, headers: Headers) -> bool:
        origin = headers.get("origin", "")
        if origin in self._origins:
            return True
        if (site := headers.get("sec-fetch-site")) is not None:
            return site == "same-origin"
        # Browsers send Sec-Fetch-Site only where they trust the transport.
        host = headers.get("host", "")
        return origin in {f"http://{host}", f"https://{host}"}

    def _cookie(self, kept: Kept, message: Any) -> str:
        expires = to_datetime(getattr(message, kept.expires))
        seconds = int((expires - self._clock.now()).total_seconds())
        return self._written(kept.cookie, getattr(message, kept.field), max(0, seconds))

    def _written(self, cookie: str, value: str, seconds: int) -> str:
        path = self._paths.get(cookie, "/")
        secure = "; Secure" if self._secure else ""
        attributes = f"Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
        return f"{self._name(cookie)}={value}; {attributes}"

    def _name(self, cookie: str) -> str:
        """Return a cookie's name; its prefix makes browsers refuse one set by others."""
        if not self._secure:
            return cookie
        prefix = "__Secure-" if cookie in self._paths else "__Host-"
        return prefix + cookie


def _bearer(authorization: str) -> str:
    if not authorization.startswith(_BEARER):
        raise Failure(Reason.UNAUTHENTICATED, "The authorization must be a bearer token.")
    return authorization.removeprefix(_BEARER).strip()


def _with_tokens(response: Message) -> list[Message]:
    """Return the messages that carry tokens: the response, or fields of it."""
    if response.DESCRIPTOR.full_name in GIVEN_BY:
        return [response]
    return [
        value
        for field, value in response.ListFields()
        if field.message_type is not None
        and not field.is_repeated
        and field.message_type.full_name in GIVEN_BY
    ]
