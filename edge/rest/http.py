"""What every answer carries: a request id, and what a browser may do with it."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.kit.request_id import REQUEST_ID_KEY, bind_request_id
from services.kit.settings import Mode

_HSTS = "max-age=63072000; includeSubDomains"
_FEATURES = ("accelerometer", "camera", "geolocation", "gyroscope", "microphone", "payment", "usb")


def security_headers(mode: Mode, stream_url: str) -> dict[str, str]:
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
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _FEATURES),
    }
    return headers | ({"Strict-Transport-Security": _HSTS} if mode == "production" else {})


class Envelope:
    """Middleware: gives each request an id, and each answer the id and the security headers."""

    def __init__(self, app: ASGIApp, headers: dict[str, str], seconds_max: float) -> None:
        """Wrap an application; answers that set one of the headers themselves keep it.

        A request that is not answered and read within `seconds_max` loses its connection.
        """
        self._seconds_max = seconds_max
        self._app = app
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        structlog.contextvars.clear_contextvars()
        request_id = bind_request_id(Headers(scope=scope).get(REQUEST_ID_KEY))
        async with asyncio.timeout(self._seconds_max):
            await self._app(scope, receive, self._stamping(send, request_id))

    def _stamping(self, send: Send, request_id: str) -> Send:
        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID_KEY] = request_id
                present = {name for name, _ in message["headers"]}
                message["headers"] += [pair for pair in self._headers if pair[0] not in present]
            await send(message)

        return stamped
