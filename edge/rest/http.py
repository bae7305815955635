"""What every answer carries: a request id, and what a browser may do with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.kit.request_id import REQUEST_ID_KEY, bind_request_id
from services.kit.settings import Mode

_HSTS = "max-age=63072000; includeSubDomains"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_ASKED = ("Authorization", "Content-Type", REQUEST_ID_KEY)
_TOLD = ("Idempotent-Replayed", "RateLimit", "RateLimit-Policy", "Retry-After", REQUEST_ID_KEY)
_PREFLIGHT_SECONDS = 600
_FEATURES = ("accelerometer", "camera", "geolocation", "gyroscope", "microphone", "payment", "usb")


def security_headers(mode: Mode) -> dict[str, str]:
    """Return the headers of an answer that is data: nothing in it may ever run or be framed."""
    headers = {
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
    }
    return headers | ({"Strict-Transport-Security": _HSTS} if mode == "production" else {})


def page_headers(mode: Mode, stream_url: str) -> dict[str, str]:
    """Return the headers that tell browsers what our pages may do: little, and only with us."""
    stream = urlsplit(stream_url)
    policy = {
        "default-src": "'self'",
        "connect-src": f"'self' {stream.scheme}://{stream.netloc}",
        # Styles are set from scripts by the chart; scripts themselves only come from files.
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return security_headers(mode) | {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _FEATURES),
    }


def open_to(origins: Sequence[str], app: ASGIApp) -> ASGIApp:
    """Let pages of these origins call an application and read its answers; by default none may.

    They bring tokens of their own: browsers neither send them our cookies nor let them set any.
    """
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=_METHODS,
        allow_headers=_ASKED,
        expose_headers=_TOLD,
        allow_credentials=False,
        max_age=_PREFLIGHT_SECONDS,
    )


class Part:
    """An application with the headers that its answers carry."""

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self.app = app
        self.headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]


class Front:
    """The outermost application: chooses a part by path, and gives each request an id."""

    def __init__(self, parts: dict[str, Part], seconds_max: float) -> None:
        """Serve these parts by the beginning of a path, the first that fits.

        A request that is not answered and read within `seconds_max` loses its connection.
        """
        self._parts = list(parts.items())
        self._seconds_max = seconds_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        structlog.contextvars.clear_contextvars()
        request_id = bind_request_id(Headers(scope=scope).get(REQUEST_ID_KEY))
        part = self._part(scope["path"])
        stamp = [(REQUEST_ID_KEY.encode(), request_id.encode()), *part.headers]
        async with asyncio.timeout(self._seconds_max):
            await part.app(scope, receive, _stamping(send, stamp))

    def _part(self, path: str) -> Part:
        return next(part for beginning, part in self._parts if path.startswith(beginning))


def _stamping(send: Send, stamp: list[tuple[bytes, bytes]]) -> Send:
    async def stamped(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *stamp]
        await send(message)

    return stamped
