"""Everything served that is neither an RPC nor an app: documents, health, metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from edge.rest import docs
from edge.rest.openapi import document
from edge.rest.upstream import Health
from edge.stream import asyncapi

_JSON = "application/json"
_BRIEFLY = {"Cache-Control": "public, max-age=60"}


def documents(health: Health, *, with_metrics: bool) -> list[BaseRoute]:
    """Return the routes; metrics are left out where a port of their own serves them."""
    routes: list[BaseRoute] = [
        Route("/openapi.json", _fixed(openapi_json, _JSON)),
        Route("/asyncapi.json", _fixed(asyncapi_json, _JSON)),
        Route("/docs", _page(docs.reference)),
        Route("/docs/errors", _page(docs.errors)),
        Route("/docs/style.css", _style),
        Route("/healthz", _alive),
        Route("/readyz", _readiness(health)),
    ]
    return [*routes, Route("/metrics", _metrics)] if with_metrics else routes


@cache
def openapi_json() -> bytes:
    """Return the OpenAPI document."""
    return orjson.dumps(document())


@cache
def asyncapi_json() -> bytes:
    """Return the AsyncAPI document of the socket."""
    return orjson.dumps(asyncapi.document())


def _fixed(content: Callable[[], bytes], kind: str) -> Callable[[Request], Response]:
    return lambda _request: Response(content(), media_type=kind, headers=_BRIEFLY)


def _page(content: Callable[[], str]) -> Callable[[Request], Response]:
    return lambda _request: HTMLResponse(content(), headers=_BRIEFLY)


def _style(_request: Request) -> Response:
    return FileResponse(docs.STYLE, media_type="text/css", headers=_BRIEFLY)


def _alive(_request: Request) -> Response:
    return Response(b'{"status":"alive"}', media_type=_JSON, headers={"Cache-Control": "no-store"})


def _readiness(health: Health) -> Callable[[Request], Awaitable[Response]]:
    async def ready(_request: Request) -> Response:
        services = await health.services()
        is_ready = all(state == "SERVING" for state in services.values())
        answer = {"status": "ready" if is_ready else "not ready", "services": services}
        return Response(
            orjson.dumps(answer),
            status_code=200 if is_ready else 503,
            media_type=_JSON,
            headers={"Cache-Control": "no-store"},
        )

    return ready


def _metrics(_request: Request) -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
