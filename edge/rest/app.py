"""The composition root of `edge rest`."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import structlog
import uvloop
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from edge.address import Addresses
from edge.contract import SERVICES, bindings
from edge.rest.documents import documents
from edge.rest.gateway import Bounds, Gateway
from edge.rest.http import Front, Part, open_to, page_headers, security_headers
from edge.rest.keys import Keys
from edge.rest.limits import Buckets, Limiter, LocalBuckets, SharedBuckets
from edge.rest.maintenance import MaintenanceWatch
from edge.rest.problem import faulty, not_served
from edge.rest.routes import Routes
from edge.rest.server import serving, stop_asked
from edge.rest.session import OWN_NAME, Sessions
from edge.rest.static import BuiltApp
from edge.rest.upstream import Channel, Health, Upstream
from edge.settings import RestSettings, allowances
from services.kit.channels import Channels, plain_channel
from services.kit.clock import Clock, SystemClock
from services.kit.logs import configure_logs
from services.kit.metrics import serve_metrics
from services.kit.revocation_feed import RevocationFeed
from services.kit.revocations import Revocations
from services.kit.settings import load_settings
from services.kit.tasks import end_tasks
from services.kit.tokens import Keyring

_DEVICE_BYTES = 16
_REDIS_SECONDS = 0.25
_GZIP_BYTES_MIN = 1024
_GZIP_LEVEL = 5
_log = structlog.stdlib.get_logger()


def main() -> None:
    """Serve until told to stop."""
    settings = load_settings(RestSettings)
    configure_logs("rest", settings.log_format)
    uvloop.run(_serve(settings))


@asynccontextmanager
async def build(settings: RestSettings, clock: Clock | None = None) -> AsyncIterator[ASGIApp]:
    """Yield the application; nothing that it talks to has to be there yet."""
    clock = clock or SystemClock()
    keyring = Keyring.load(settings.keys, own=OWN_NAME)
    async with AsyncExitStack() as stack:
        revocations, maintenance = await _told_by_identity(settings, keyring, clock, stack)
        to: dict[str, Channel] = {}
        for target in SERVICES:
            channel = plain_channel(target, settings.addresses[target], settings.tls)
            to[target] = await stack.enter_async_context(channel)
        buckets = await stack.enter_async_context(_buckets(settings, clock))
        routes = Routes(bindings())
        gateway = Gateway(
            routes,
            Upstream(
                to,
                settings.call_seconds_max,
                settings.answer_seconds_max,
                lambda target: keyring.service_token(target, clock.now()),
            ),
            Sessions(
                keyring,
                clock,
                settings.mode,
                routes.all,
                settings.origins,
                revocations=revocations,
                new_device=partial(secrets.token_urlsafe, _DEVICE_BYTES),
            ),
            Keys(to["identity"], lambda: keyring.service_token("identity", clock.now()), clock),
            Limiter(buckets, allowances(settings), clock),
            maintenance,
            Addresses(settings.trusted_proxies),
            Bounds(settings.body_bytes_max, settings.file_bytes_max, settings.body_seconds_max),
        )
        yield _application(settings, gateway, Health(to, clock))


async def _told_by_identity(
    settings: RestSettings, keyring: Keyring, clock: Clock, stack: AsyncExitStack
) -> tuple[Revocations, MaintenanceWatch]:
    """Return what was taken back, and the watch for maintenance, kept up to date from now on."""
    channel = Channels(keyring, clock, settings.tls).to("identity", settings.identity_address)
    await stack.enter_async_context(channel)
    revocations, maintenance = Revocations(clock), MaintenanceWatch(channel, clock)
    feed = RevocationFeed(channel, revocations)
    listening = [asyncio.create_task(listen()) for listen in (feed.run, maintenance.run)]
    stack.push_async_callback(end_tasks, listening)
    return revocations, maintenance


def _application(settings: RestSettings, gateway: Gateway, health: Health) -> ASGIApp:
    with_metrics = settings.mode == "development"
    pages = Starlette(
        routes=[
            *documents(health, with_metrics=with_metrics),
            Route("/admin", lambda _request: RedirectResponse("/admin/")),
            Mount("/admin", BuiltApp(settings.admin)),
            Mount("/", BuiltApp(settings.terminal)),
        ],
        exception_handlers={HTTPException: not_served, Exception: faulty},
        middleware=[
            Middleware(GZipMiddleware, minimum_size=_GZIP_BYTES_MIN, compresslevel=_GZIP_LEVEL)
        ],
    )
    parts = {
        "/v1/": Part(open_to(settings.cors_origins, gateway), security_headers(settings.mode)),
        "/": Part(pages, page_headers(settings.mode, settings.stream_url)),
    }
    return Front(parts, settings.answer_seconds_max)


@asynccontextmanager
async def _buckets(settings: RestSettings, clock: Clock) -> AsyncIterator[Buckets]:
    if settings.redis_url is None:
        yield LocalBuckets(clock)
        return
    redis = Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_timeout=_REDIS_SECONDS,
        socket_connect_timeout=_REDIS_SECONDS,
    )
    async with redis:
        yield SharedBuckets(redis, clock)


async def _serve(settings: RestSettings) -> None:
    """Serve until a signal; then let requests in flight end."""
    if settings.metrics_listen is not None:
        serve_metrics(settings.metrics_listen)
    async with build(settings) as app, serving(settings, app) as address:
        _log.info("serving", http=address)
        await stop_asked()
        _log.info("stopping")
