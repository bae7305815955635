"""What every answer carries: a request id, and what a browser may do with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.rest.problem import problem
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.request_id import REQUEST_ID_KEY, bind_request_id
from services.kit.settings import Mode

HEAD_BYTES_MAX = 32 * 1024
"""How large a request's path, query and headers may be together."""

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
        request_id = bind_request_id(Headers(scope=scope).get(REQUEST_ID_KEY))
        part = self._part(scope["path"])
        stamp = [(REQUEST_ID_KEY.encode(), request_id.encode()), *part.headers]
        app = part.app if _head_bytes(scope) <= HEAD_BYTES_MAX else _head_too_large()
        async with asyncio.timeout(self._seconds_max):
            await app(scope, receive, _stamping(send, stamp))

    def _part(self, path: str) -> Part:
        return next(part for beginning, part in self._parts if path.startswith(beginning))


def _head_bytes(scope: Scope) -> int:
    headers = sum(len(name) + len(value) + len(b": \r\n") for name, value in scope["headers"])
    return headers + len(scope["raw_path"]) + len(scope["query_string"])


def _head_too_large() -> Response:
    failure = Failure(
        Reason.REQUEST_TOO_LARGE,
        f"The path, query and headers are larger than {HEAD_BYTES_MAX} bytes.",
        metadata={"max_bytes": str(HEAD_BYTES_MAX)},
    )
    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    return problem(failure, status=status, headers={"Connection": "close"})


def _stamping(send: Send, stamp: list[tuple[bytes, bytes]]) -> Send:
    async def stamped(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *stamp]
        await send(message)

    return stamped
