"""Brings the whole platform up on one machine, shows how it fares, and takes it down again."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from datetime import datetime
from typing import TextIO

import psycopg

from services.local import databases, postgres, probes, topology, valkey
from services.local.databases import Passwords
from services.local.home import Home, Refusal
from services.local.keys import ensure_keys
from services.local.logs import Log
from services.local.part import Condition, State
from services.local.ports import HOST, Ports
from services.local.process import allow_many_files
from services.local.settings import Settings
from services.local.status import Lines, Screen, Status, news
from services.local.supervisor import Pace, Supervisor
from services.local.topology import Machine

_TICKS = "veritick_quotes_ticks_total"
_REDRAW_SECONDS = 1
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(settings: Settings, out: TextIO) -> None:
    """Run the platform until it is asked to stop.

    Raises `Refusal`, before anything has started, when it cannot run here.
    """
    started = time.monotonic()
    home = Home(settings.home)
    ports = Ports(settings.port)
    with home.held(f"by process {os.getpid()}, http://{ports.address('rest')}"):
        ports.require_free()
        allow_many_files()
        machine = _machine(settings, home, ports)
        ensure_keys(home.keys)
        machine.cluster.create()
        machine.cluster.clear_leftovers()
        asyncio.run(_Platform(machine, home, settings, out, started).run())


def forget(settings: Settings) -> None:
    """Delete all that the platform keeps. Raises `Refusal` while it runs."""
    home = Home(settings.home)
    with home.held("by a reset"):
        home.forget()


def create_admin(settings: Settings, email: str) -> None:
    """Make the first administrator, on a platform that runs; identity asks for the password.

    Raises `Refusal` when identity does.
    """
    machine = _machine(settings, Home(settings.home), Ports(settings.port))
    command = [machine.python, "-m", "services.identity", "create-admin", "--email", email]
    told = {**settings.base_environment, **topology.environment(machine, "identity")}
    if subprocess.run(command, env=told, check=False).returncode != 0:
        raise Refusal("no administrator was made")


def audit(settings: Settings, options: Sequence[str]) -> int:
    """Audit the books of a platform that runs, and return what trading's command ends with."""
    machine = _machine(settings, Home(settings.home), Ports(settings.port))
    command = [machine.python, "-m", "services.trading", "audit", *options]
    told = {**settings.base_environment, **topology.environment(machine, "trading")}
    return subprocess.run(command, env=told, check=False).returncode


def _machine(settings: Settings, home: Home, ports: Ports) -> Machine:
    passwords = Passwords(home.passwords)
    binaries = settings.postgres_binaries or postgres.embedded_binaries()
    return Machine(
        python=settings.python,
        repository=settings.repository,
        keys=home.keys,
        prices=home.prices,
        ports=ports,
        cluster=postgres.Cluster(
            home.postgres, home.sockets, passwords.of(postgres.SUPERUSER), binaries
        ),
        valkey=valkey.Valkey(home.sockets, valkey.embedded_server()),
        passwords=passwords,
        documents=home.documents,
        feed=settings.feed,
        books=("demo", "real") if settings.real_accounts else ("demo",),
    )


class _Platform:
    def __init__(
        self, machine: Machine, home: Home, settings: Settings, out: TextIO, started: float
    ) -> None:
        self._machine = machine
        self._home = home
        self._settings = settings
        self._display: Lines | Screen = Screen(out) if out.isatty() else Lines(out)
        self._out = out
        self._status = Status(
            machine.url, machine.staff_url, machine.stream_url, str(home.root), started
        )

    async def run(self) -> None:
        stopping = asyncio.Event()
        for number in _STOP_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        supervisor = Supervisor(
            self._home.logs, self._settings.base_environment, self._changed, Pace()
        )
        self._display.open()
        try:
            async with self._drawing(supervisor):
                await _until(self._start(supervisor), stopping)
                await stopping.wait()
                self._say("stopping")
                await supervisor.stop()
        finally:
            await supervisor.stop()
            self._display.close("stopped")

    async def _start(self, supervisor: Supervisor) -> None:
        machine = self._machine
        supervisor.start(topology.stores(machine))
        await supervisor.all_fine()
        at_head = await asyncio.to_thread(self._prepare_databases)
        supervisor.start(topology.services(machine, at_head))
        supervisor.start(topology.edges(machine))
        await supervisor.all_fine()
        self._status.ready_after = time.monotonic() - self._status.started
        self._say(f"everything is well after {self._status.ready_after:.1f} s")
        self._display.tell(f"ready {machine.url}")
        self._display.tell(f"staff {machine.staff_url}")

    def _prepare_databases(self) -> frozenset[str]:
        try:
            databases.provision(self._machine.cluster, self._machine.passwords)
            return topology.migrated(self._machine)
        except psycopg.Error as error:
            raise Refusal(f"the databases in {self._home.root} do not open: {error}") from error

    def _changed(self, condition: Condition, before_seconds: float) -> None:
        """Tell what a person would want to know, with the last words of what died."""
        if condition.state in {State.STARTING, State.STOPPED}:
            return
        died = condition.state is State.DOWN
        words = Log(self._home.logs, condition.part.name).last_words() if died else ""
        self._say(news(condition, datetime.now().astimezone(), before_seconds, words))

    def _say(self, line: str) -> None:
        self._status.tell(line)
        self._display.tell(line)

    @contextlib.asynccontextmanager
    async def _drawing(self, supervisor: Supervisor) -> AsyncIterator[None]:
        """Draw the screen every second, where there is one."""
        if isinstance(self._display, Lines):
            yield
            return
        task = asyncio.create_task(self._draw(self._display, supervisor))
        try:
            yield
        finally:
            task.cancel()

    async def _draw(self, display: Screen, supervisor: Supervisor) -> None:
        quotes = self._machine.ports.of("quotes metrics")
        counted: float | None = None
        while True:
            before, counted = counted, await probes.read_counter(HOST, quotes, _TICKS)
            if before is not None and counted is not None:
                self._status.ticks_per_second = max(counted - before, 0)
            display.draw(self._status, supervisor.conditions.values(), time.monotonic())
            await asyncio.sleep(_REDRAW_SECONDS)


async def _until(work: Coroutine[None, None, None], stopping: asyncio.Event) -> None:
    """Do `work` until it is done, or cut it short when `stopping` is set."""
    doing, stop = asyncio.ensure_future(work), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({doing, stop}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            doing.result()
    finally:
        doing.cancel()
        stop.cancel()
