"""The life of a process: start, become ready, serve, drain, stop. The same for every service."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import grpc
import psycopg
import structlog
import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health

from services.kit import failpoints
from services.kit.callers import Callers
from services.kit.channels import MESSAGE_BYTES_MAX
from services.kit.clock import Clock
from services.kit.garbage import collect_seldom
from services.kit.interceptor import Interceptor
from services.kit.introspection import OperatorsOnly, add_introspection
from services.kit.logs import configure_logs
from services.kit.metrics import serve_metrics
from services.kit.migrate import MigrationRefused
from services.kit.refusals import Refusals
from services.kit.revocations import Revocations
from services.kit.settings import ServiceSettings, SettingsType, load_settings
from services.kit.tasks import end_tasks
from services.kit.tls import TlsFiles, TlsSettings
from services.kit.tokens import Keyring

Face = tuple[Callable[[Any, Any], None], object]
"""A servicer with the generated function that adds it to a server."""

Task = Callable[[], Awaitable[None]]
_READY_EVERY_SECONDS = 0.1
# Longer than any task takes to tidy up after being cancelled.
_LAST_WORDS_SECONDS = 4.0
"""What a task may take to end in good order before it is cancelled once more."""

_OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    # Two processes on one port would share its calls without anybody noticing.
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    # What one connection may ask at once; the rest of it waits at the caller's.
    ("grpc.max_concurrent_streams", 1_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
)
_log = structlog.stdlib.get_logger()


class RevocationSource(Protocol):
    """Keeps revocations up to date, for as long as the process runs."""

    revocations: Revocations

    async def run(self) -> None:
        """Listen for ever."""


@dataclass(frozen=True)
class Application:
    """What a composition root returns: everything that runs until the process stops."""

    keyring: Keyring
    faces: Sequence[Face] = ()
    tasks: Mapping[str, Task] = field(default_factory=dict)
    """Run for as long as the process; one that ends, ends the process, so that it is restarted."""

    ready: Callable[[], bool] = lambda: True
    """Whether calls should be sent here: this is what the health service answers."""

    revocations: RevocationSource | None = None
    """From where it hears what was taken back; without one a token counts until it expires."""

    refusals: Refusals | None = None
    """Where it is noted who asked for what is not theirs to ask."""

    def all_tasks(self) -> Mapping[str, Task]:
        """Return everything that runs until the process stops."""
        listening = {"revocations": self.revocations.run} if self.revocations else {}
        noting = {"refusals": self.refusals.run} if self.refusals else {}
        return {**self.tasks, **listening, **noting}

    def is_ready(self) -> bool:
        """Tell whether calls can be answered, those of users included."""
        return self.ready() and (self.revocations is None or self.revocations.revocations.known)


def main(
    name: str,
    settings: type[SettingsType],
    build: Callable[[SettingsType], AbstractAsyncContextManager[Application]],
    migrate: Callable[[SettingsType], None],
    verb: str = "serve",
) -> None:
    """Run a service from the command line: `serve` (or its own verb), or `migrate`."""
    if sys.argv[1:] not in ([verb], ["migrate"]):
        raise SystemExit(f"usage: python -m services.{name} {verb}|migrate")
    loaded = load_settings(settings)
    configure_logs(name, loaded.log_format)
    if sys.argv[1] == "migrate":
        try:
            migrate(loaded)
        except (MigrationRefused, psycopg.OperationalError) as error:
            raise SystemExit(f"migrate: {error}") from None
    else:
        serve(name, loaded, build)


def serve(
    name: str,
    settings: SettingsType,
    build: Callable[[SettingsType], AbstractAsyncContextManager[Application]],
) -> None:
    """Serve until SIGTERM or SIGINT; the exit code is 1 when a task failed."""
    failpoints.arm(settings.failpoints, settings.failpoints_seed)
    if settings.metrics_listen:
        serve_metrics(settings.metrics_listen)
    collect_seldom()
    if not uvloop.run(_serve(name, settings, build)):
        raise SystemExit(1)


async def _serve(
    name: str,
    settings: SettingsType,
    build: Callable[[SettingsType], AbstractAsyncContextManager[Application]],
) -> bool:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with build(settings) as application, serving(name, settings, application) as running:
        _log.info("serving", address=running.address)
        await _first(stopping.wait(), running.failed.wait())
        _log.info("stopping")
        return not running.failed.is_set()


@dataclass
class Running:
    """A server that answers, and whether one of its tasks has ended against expectation."""

    address: str
    failed: asyncio.Event
    admin_address: str | None = None
    """Where operators ask it about itself, in production."""


@asynccontextmanager
async def serving(
    name: str, settings: ServiceSettings, application: Application, clock: Clock | None = None
) -> AsyncIterator[Running]:
    """Serve an application within the block, on `settings.listen`; leaving drains and stops it."""
    clock = clock or failpoints.process_clock()
    source = application.revocations
    revocations = source.revocations if source else None
    guard = Interceptor(name, application.keyring, clock, revocations, application.refusals)
    server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=settings.calls_max)
    names, health_servicer = _add_faces(server, guard, application.faces)
    callers = Callers(name, application.keyring, clock, revocations)
    admin = _introspected(server, names, settings, callers)
    running = Running(_listen(server, settings.listen, settings.tls), asyncio.Event())
    if admin is not None:
        running.admin_address = _listen(admin, settings.required("admin_listen"), settings.tls)
        await admin.start()
    tasks = [
        asyncio.create_task(_watched(label, task, running.failed), name=label)
        for label, task in application.all_tasks().items()
    ]
    await server.start()
    tasks.append(asyncio.create_task(_report_health(application.is_ready, health_servicer)))
    try:
        yield running
    finally:
        await health_servicer.enter_graceful_shutdown()
        guard.end_streams()
        # Tasks feed the calls in flight, so they outlive them.
        await server.stop(settings.drain_seconds)
        if admin is not None:
            await admin.stop(0)
        await end_tasks(tasks, _LAST_WORDS_SECONDS)


def _introspected(
    server: grpc.aio.Server, names: Sequence[str], settings: ServiceSettings, callers: Callers
) -> grpc.aio.Server | None:
    """Let a server tell of itself, or a second one that is for operators, where there is one."""
    if settings.mode == "development":
        add_introspection(server, names)
        return None
    if settings.admin_listen is None:
        return None
    admin = grpc.aio.server(interceptors=(OperatorsOnly(callers),), options=_OPTIONS)
    add_introspection(admin, names)
    return admin


def _listen(server: grpc.aio.Server, listen: str, tls: TlsSettings | None) -> str:
    """Listen, and return the address with its port."""
    if tls is None:
        port = server.add_insecure_port(listen)
    else:
        port = server.add_secure_port(listen, TlsFiles(tls).server_credentials())
    return f"{listen.rpartition(':')[0]}:{port}"


class _Guarded(grpc.GenericRpcHandler):
    """All that is served behind the guard, where the generated code registers each face's handlers.

    It is one to gRPC, which asks all it has, one after the other, for the handler of every call.
    """

    def __init__(self, guard: Interceptor) -> None:
        self._guard = guard
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Return the handler of a call; None for what is not served here."""
        return self._handlers.get(handler_call_details.method)

    def add_generic_rpc_handlers(self, _: object) -> None:
        """Take none this way: the same handlers come by their names."""

    def add_registered_method_handlers(
        self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """Serve the handlers of a service, each behind the guard."""
        for method, handler in handlers.items():
            self._handlers[f"/{service}/{method}"] = self._guard.around(service, method, handler)


def _add_faces(
    server: grpc.aio.Server, guard: Interceptor, faces: Sequence[Face]
) -> tuple[list[str], health.HealthServicer]:
    """Add what is served; return the names of it, and the servicer that tells of health."""
    guarded = _Guarded(guard)
    server.add_generic_rpc_handlers((guarded,))
    health_servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    names = [health_pb2.DESCRIPTOR.services_by_name["Health"].full_name]
    for add, servicer in faces:
        add(servicer, guarded)
        names += _service_names(servicer)
    return names, health_servicer


def _service_names(servicer: object) -> list[str]:
    """Return the full names of the services a servicer implements, from its generated bases."""
    names = []
    for base in type(servicer).__mro__:
        if base.__name__.endswith("Servicer") and base.__module__.endswith("_pb2_grpc"):
            messages = sys.modules[base.__module__.removesuffix("_grpc")]
            service = messages.DESCRIPTOR.services_by_name[base.__name__.removesuffix("Servicer")]
            names.append(service.full_name)
    return names


async def _report_health(ready: Callable[[], bool], servicer: health.HealthServicer) -> None:
    status = None
    while True:
        now = (
            health_pb2.HealthCheckResponse.SERVING
            if ready()
            else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        if now != status:
            status = now
            await servicer.set("", now)
            _log.info("health", status=health_pb2.HealthCheckResponse.ServingStatus.Name(now))
        await asyncio.sleep(_READY_EVERY_SECONDS)


async def _watched(label: str, task: Task, failed: asyncio.Event) -> None:
    try:
        await task()
        _log.error("a task ended that should not", task=label)
    except Exception:
        _log.exception("a task failed", task=label)
        raise
    finally:
        if not (current := asyncio.current_task()) or not current.cancelling():
            failed.set()


async def _first(*waits: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
