"""The whole platform as processes that a test may hurt one by one, with proxies between them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import TupleRow
from pydantic import SecretStr

from services.kit.migrate import migrate
from services.kit.settings import DatabaseSettings
from services.kit.tokens import Keyring
from services.local import databases, probes, topology
from services.local.databases import Passwords
from services.local.home import Home
from services.local.keys import ensure_keys
from services.local.part import Probe
from services.local.ports import HOST, Ports
from services.local.postgres import Cluster, embedded_binaries
from services.local.process import allow_many_files, leashed
from services.local.settings import Feed
from services.local.topology import SERVICES, Machine
from services.local.valkey import Valkey, embedded_server
from tests.faults.processes import Process
from tests.faults.proxy import Road, Roads
from tests.faults.report import SEED
from tests.platform import UNHISTORIED, Logged, free_base

REPOSITORY = Path(__file__).parents[2]
WELL_SECONDS = 120
"""How long anything may take to be well again on a machine that is busy."""

_PAUSE_SECONDS = 0.05
_BOOK = "demo"
DATABASES = ("identity", "quotes", "settlement", f"trading_{_BOOK}")
_WORDS = 2_000
_AUDIT_SECONDS = 300
_STORES = ("postgres", "valkey")
_VERBS = {"settlement": "work"}


@dataclass
class World(Logged):
    """A platform under test.

    The services are reached through proxies, so that a standby can take a leader's place as it
    would behind a load balancer; so are the database of the book and Redis.
    """

    home: Home
    machine: Machine
    replicas: list[Ports]
    roads: Roads
    tree: Path = REPOSITORY
    """The build that runs, unless a part is told otherwise."""

    parts: dict[str, Process] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ports = self.machine.ports
        self.logs = self.home.logs
        self.identity_keys = Keyring.load(self.home.keys, "identity")
        self.operator_keys = Keyring.load(self.home.keys, "operator")
        self._sockets = {name: _made(self.home.root / name[:3]) for name in ("database", "redis")}

    # ---- coming and going ---------------------------------------------------------------------

    def start(self) -> None:
        """Start everything and wait until it is well."""
        self._start_stores()
        cluster, run = self.machine.cluster, self.home.sockets
        databases.provision(cluster, self.machine.passwords)
        for name in DATABASES:
            self.migrate(name, self.tree)
        name = ".s.PGSQL.5432"
        self.database = self.roads.between(self._sockets["database"] / name, run / name)
        self.redis = self.roads.between(
            self._sockets["redis"] / "valkey.sock", self.machine.valkey.socket
        )
        self.fronts = {runtime: self._front(runtime) for runtime in SERVICES}
        for part in ("simulator", *SERVICES, "rest", "stream"):
            self.part(part).start()
        asyncio.run(self.well())

    def stop(self) -> None:
        """Stop everything at once, and the stores when nobody uses them any more."""
        stores = [self.parts.pop(name) for name in _STORES if name in self.parts]
        with ThreadPoolExecutor(len(self.parts) or 1) as together:
            list(together.map(Process.stop, self.parts.values()))
        for store in stores:
            store.stop(signal.SIGINT)

    def part(self, runtime: str, replica: int = 0) -> Process:
        """Return a runtime as a process, not yet started if it is new; `replica` 1 is a second."""
        name = f"{runtime} {replica}" if replica else runtime
        if name not in self.parts:
            self.parts[name] = Process(
                name,
                self._command(runtime),
                self._environment(runtime, replica),
                self.logs / f"{name}.log",
                SEED,
            )
        return self.parts[name]

    async def well(self, *runtimes: str, replica: int = 0) -> float:
        """Wait until these (or all) can do their work; return how many seconds that took."""
        began = time.monotonic()
        for runtime in runtimes or (*SERVICES, "rest", "stream"):
            name = f"{runtime} {replica}" if replica else runtime
            try:
                await until(self.probe(runtime, replica), f"{runtime} is well")
            except AssertionError as error:
                raise AssertionError(f"{error}\n{self.log(name)[-_WORDS:]}") from None
        return time.monotonic() - began

    async def listens(self, runtime: str, replica: int = 0) -> None:
        """Wait until a replica can be spoken to, though another one may lead."""
        port = self.replicas[replica].of(runtime)
        await until(probes.listening(HOST, port), f"{runtime} {replica} listens")

    def probe(self, runtime: str, replica: int = 0) -> Probe:
        """Return what asks a runtime whether it is well."""
        ports = self.replicas[replica]
        if runtime in SERVICES:
            return probes.grpc_serving(ports.address(runtime))
        if runtime == "rest":
            return probes.http_ok(HOST, self.ports.of("rest"), "/readyz")
        return probes.http_ok(HOST, self.ports.of("stream metrics"), "/healthz")

    def address(self, runtime: str, replica: int = 0) -> str:
        """Return where a replica itself listens, behind the proxy."""
        return self.replicas[replica].address(runtime)

    def _start_stores(self) -> None:
        self.machine.cluster.create()
        commands = (self.machine.cluster.command(), self.machine.valkey.command())
        for name, command in zip(_STORES, commands, strict=True):
            self.parts[name] = Process(name, command, {}, self.logs / f"{name}.log", SEED)
            self.parts[name].start()
        asyncio.run(self.stores_answer())

    async def stores_answer(self) -> None:
        """Wait until both stores answer."""
        cluster, valkey = self.machine.cluster, self.machine.valkey
        await until(probes.postgres_answers(cluster.url("postgres")), "Postgres answers")
        await until(probes.valkey_answers(str(valkey.socket)), "Valkey answers")

    def migrate(self, name: str, tree: Path) -> list[str]:
        """Bring a database to the newest migration of a build; return what was applied."""
        access = databases.access(self.machine.cluster, self.machine.passwords, name)
        settings = DatabaseSettings(
            database_url=SecretStr(access.service), migration_url=SecretStr(access.owner)
        )
        service = name.partition("_")[0]
        return migrate(settings, tree / "services" / service / "migrations")

    def _front(self, runtime: str) -> Road:
        return self.roads.between(self.ports.address(runtime), self.address(runtime))

    def _command(self, runtime: str) -> list[str]:
        if runtime == "simulator":
            module, options = "services.quotes.simulator", ["simulated", "--control"]
            return leashed([sys.executable, "-m", module, *options, "--seed", str(SEED)])
        if runtime in SERVICES:
            verb = _VERBS.get(runtime, "serve")
            return leashed([sys.executable, "-m", f"services.{runtime}", verb])
        return leashed([sys.executable, "-m", "edge", runtime])

    def _environment(self, runtime: str, replica: int) -> dict[str, str]:
        environment = topology.environment(self.machine, runtime)
        redis = quote(str(self._sockets["redis"] / "valkey.sock"), safe="/")
        environment["VERITICK_REDIS_URL"] = f"unix://{redis}?db=0"
        environment["PYTHONPATH"] = imports_of(self.tree)
        environment |= UNHISTORIED
        environment["PYTHONSAFEPATH"] = "1"  # not what happens to lie where the tests run
        if runtime in SERVICES:
            ports = self.replicas[replica]
            environment["VERITICK_LISTEN"] = ports.address(runtime)
            environment["VERITICK_METRICS_LISTEN"] = ports.address(f"{runtime} metrics")
        if runtime == "trading":
            name = f"VERITICK_BOOKS__{_BOOK.upper()}__DATABASE_URL"
            environment[name] = environment[name].replace(
                quote(str(self.home.sockets), safe="/"),
                quote(str(self._sockets["database"]), safe="/"),
            )
        return environment

    # ---- looking ------------------------------------------------------------------------------

    def log(self, name: str) -> str:
        """Return what a part has said."""
        return (self.logs / f"{name}.log").read_text()

    def rows(self, database: str, query: str, parameters: object = None) -> list[TupleRow]:
        """Read a database as its owner."""
        access = databases.access(self.machine.cluster, self.machine.passwords, database)
        with psycopg.connect(access.owner, autocommit=True) as connection:
            return connection.execute(query, parameters).fetchall()  # type: ignore[call-overload, no-any-return]

    def book(self, query: str, parameters: object = None) -> list[TupleRow]:
        """Read the book."""
        return self.rows(f"trading_{_BOOK}", query, parameters)

    def audit(self) -> tuple[int, str]:
        """Audit the whole book from the command line; return the exit code and what was said."""
        arguments = ["-m", "services.trading", "audit", "--book", _BOOK, "--full"]
        done = subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, **self._environment("trading", 0)},
            capture_output=True,
            check=False,
            text=True,
            timeout=_AUDIT_SECONDS,
        )
        return done.returncode, f"{done.stdout}{done.stderr}"

    def superuser(self) -> psycopg.Connection:
        """Return a connection that may do anything."""
        return psycopg.connect(self.machine.cluster.url("postgres"), autocommit=True)

    # ---- who ----------------------------------------------------------------------------------

    def user_token(self, user_id: UUID) -> str:
        """Return a token as identity gives one to a user who signed in."""
        claims = {"sub": str(user_id), "aud": "veritick", "sid": str(uuid4()), "perm": [], "ver": 0}
        return self.identity_keys.sign(claims, timedelta(hours=1), datetime.now(UTC))

    def stream_ticket(self, user_id: UUID) -> str:
        """Return a ticket for a socket, as identity gives one."""
        claims = {
            "sub": str(user_id),
            "aud": "stream",
            "sid": str(uuid4()),
            "ver": 1,
            "jti": str(uuid4()),
        }
        return self.identity_keys.sign(claims, timedelta(seconds=30), datetime.now(UTC))


async def until(condition: Probe, what: str, seconds: float = WELL_SECONDS) -> None:
    """Wait until a condition holds, but not for ever."""
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, f"never: {what}"
        await asyncio.sleep(_PAUSE_SECONDS)


async def until_true(
    condition: Callable[[], bool], what: str, seconds: float = WELL_SECONDS
) -> None:
    """Wait until a condition that is looked up here holds, but not for ever."""

    async def probe() -> bool:
        return condition()

    await until(probe, what, seconds)


def imports_of(tree: Path) -> str:
    """Return where Python finds the modules of a build."""
    return os.pathsep.join([str(tree), str(tree / "clients" / "python" / "src")])


@asynccontextmanager
async def another_world(folder: Path, tree: Path = REPOSITORY) -> AsyncIterator[World]:
    """Run one more platform, beside whatever runs in this loop."""
    running = running_world(folder, tree)
    # It has loops of its own while it starts.
    world = await asyncio.to_thread(running.__enter__)
    try:
        yield world
    except BaseException as error:
        error.add_note(world.last_words())
        raise
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)


@contextmanager
def running_world(folder: Path, tree: Path = REPOSITORY) -> Iterator[World]:
    """Run a build of the platform in a folder with a short name until the context is left."""
    allow_many_files()
    home = Home(folder)
    home.prepare()
    ensure_keys(home.keys)
    passwords = Passwords(home.passwords)
    machine = Machine(
        python=sys.executable,
        repository=REPOSITORY,
        keys=home.keys,
        prices=home.prices,
        ports=Ports(free_base()),
        # A durable one: what was acknowledged has to outlive an immediate stop.
        cluster=Cluster(home.postgres, home.sockets, passwords.of("veritick"), embedded_binaries()),
        valkey=Valkey(home.sockets, embedded_server()),
        passwords=passwords,
        documents=home.documents,
        feed=Feed(),
        books=(_BOOK,),
    )
    with ExitStack() as stack:
        roads = stack.enter_context(Roads())
        replicas = [Ports(free_base()) for _ in range(2)]
        world = World(home, machine, replicas, roads, tree)
        stack.callback(world.stop)
        world.start()
        yield world


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
