"""The parts of the platform on one machine: which processes, with what, and how they are asked."""

import signal
from dataclasses import dataclass
from pathlib import Path

from services.local import databases, probes
from services.local.databases import Passwords
from services.local.part import Part, Probe
from services.local.ports import HOST, Ports
from services.local.postgres import Cluster
from services.local.process import leashed
from services.local.settings import Feed
from services.local.valkey import Valkey

SERVICES = ("identity", "quotes", "trading", "settlement")
_WORK = {"settlement": "work"}


@dataclass(frozen=True)
class Machine:
    """What the parts stand on."""

    python: str
    repository: Path
    keys: Path
    prices: Path
    ports: Ports
    cluster: Cluster
    valkey: Valkey
    passwords: Passwords
    documents: Path
    feed: Feed
    books: tuple[str, ...]

    @property
    def url(self) -> str:
        """Where a person opens the platform."""
        return f"http://{self.ports.address('rest')}"

    @property
    def staff_url(self) -> str:
        """Where staff open their app."""
        return f"{self.url}/admin/"

    @property
    def stream_url(self) -> str:
        """Where programs open the socket."""
        return f"ws://{self.ports.address('stream')}/v1/stream"

    def app(self, name: str) -> Path:
        """Where a built app is: `terminal`, or `admin`."""
        return self.repository / "clients" / name / "dist"


def stores(machine: Machine) -> list[Part]:
    """Return the databases."""
    return [
        Part(
            "postgres",
            tuple(machine.cluster.command()),
            probe=probes.postgres_answers(machine.cluster.url("postgres")),
            stop_signal=signal.SIGINT,
            stop_seconds=30,
            address=str(machine.cluster.sockets),
        ),
        Part(
            "valkey",
            tuple(machine.valkey.command()),
            probe=probes.valkey_answers(str(machine.valkey.socket)),
            address=str(machine.valkey.socket),
        ),
    ]


def services(machine: Machine, at_head: frozenset[str]) -> list[Part]:
    """Return the market and the services; each migrates first, unless it is `at_head`."""
    parts = [_simulator(machine)]
    for name in SERVICES:
        migration = f"migrate {name}"
        if name not in at_head:
            parts.append(_python(machine, migration, f"services.{name}", "migrate", once=True))
        parts.append(
            _python(
                machine,
                name,
                f"services.{name}",
                _WORK.get(name, "serve"),
                needs=() if name in at_head else (migration,),
            )
        )
    return parts


def edges(machine: Machine) -> list[Part]:
    """Return the two runtimes of the edge."""
    return [
        _python(machine, "rest", "edge", "rest"),
        _python(machine, "stream", "edge", "stream"),
    ]


def migrated(machine: Machine) -> frozenset[str]:
    """Return the services whose databases have had every migration, so that none need run."""
    return frozenset(name for name in SERVICES if _at_head(machine, name))


def _at_head(machine: Machine, service: str) -> bool:
    newest = databases.newest_revision(machine.repository / "services" / service / "migrations")
    return all(
        databases.revision(machine.cluster, database) == newest
        for database in _databases(machine, service)
    )


def _python(
    machine: Machine,
    name: str,
    module: str,
    verb: str,
    *options: str,
    needs: tuple[str, ...] = (),
    once: bool = False,
) -> Part:
    """Return one of our own programs as a part; `name` without `migrate` says whose settings."""
    runtime = name.removeprefix("migrate ")
    return Part(
        name,
        tuple(leashed([machine.python, "-m", module, verb, *options])),
        environment=environment(machine, runtime),
        needs=needs,
        once=once,
        probe=None if once else _probe(machine, runtime),
        address="" if once else machine.ports.address(runtime),
    )


def _probe(machine: Machine, runtime: str) -> Probe:
    ports = machine.ports
    if runtime in SERVICES:
        return probes.grpc_serving(ports.address(runtime))
    if runtime == "rest":
        return probes.http_ok(HOST, ports.of("rest"), "/readyz")
    if runtime == "stream":
        return probes.http_ok(HOST, ports.of("stream metrics"), "/healthz")
    return probes.listening(HOST, ports.of(runtime))


def environment(machine: Machine, runtime: str) -> dict[str, str]:
    """Return what a runtime is told: its own ports and databases, and where the others are."""
    return {
        "VERITICK_MODE": "development",
        "VERITICK_LOG_FORMAT": "json",
        "VERITICK_KEYS": str(machine.keys),
        "VERITICK_REDIS_URL": machine.valkey.url,
        "VERITICK_SITE_URL": machine.url,
        "VERITICK_STREAM_URL": machine.stream_url,
        **{f"VERITICK_{name.upper()}_ADDRESS": machine.ports.address(name) for name in SERVICES},
        **_listens(machine, runtime),
        **_stores(machine, runtime),
    }


def _listens(machine: Machine, runtime: str) -> dict[str, str]:
    ports = machine.ports
    if runtime == "rest":
        return {
            "VERITICK_HTTP_LISTEN": ports.address("rest"),
            "VERITICK_METRICS_LISTEN": ports.address("rest metrics"),
            "VERITICK_TERMINAL": str(machine.app("terminal")),
            "VERITICK_ADMIN": str(machine.app("admin")),
        }
    if runtime == "stream":
        return {
            "VERITICK_STREAM_LISTEN": ports.address("stream"),
            "VERITICK_METRICS_LISTEN": ports.address("stream metrics"),
        }
    if runtime == "simulator":
        return {
            "VERITICK_LISTEN": ports.address("simulator"),
            "VERITICK_STATE": str(machine.prices),
        }
    return {
        "VERITICK_LISTEN": ports.address(runtime),
        "VERITICK_METRICS_LISTEN": ports.address(f"{runtime} metrics"),
        "VERITICK_FEED_URL": f"ws://{ports.address('simulator')}",
    }


def _stores(machine: Machine, runtime: str) -> dict[str, str]:
    """Return what a service needs to reach its own databases, and nobody else's."""
    if runtime == "trading":
        return {
            f"VERITICK_BOOKS__{book.upper()}__{name}": value
            for book in machine.books
            for name, value in _access(machine, f"trading_{book}").items()
        }
    if runtime in SERVICES:
        access = _access(machine, runtime)
        stores = {f"VERITICK_{name}": value for name, value in access.items()}
        return stores | (_documents(machine) if runtime == "identity" else {})
    return {}


def _documents(machine: Machine) -> dict[str, str]:
    """Return where identity keeps what users hand in, sealed."""
    return {"VERITICK_DOCUMENTS_FOLDER": str(machine.documents)}


def _access(machine: Machine, database: str) -> dict[str, str]:
    access = databases.access(machine.cluster, machine.passwords, database)
    return {"DATABASE_URL": access.service, "MIGRATION_URL": access.owner}


def _databases(machine: Machine, service: str) -> tuple[str, ...]:
    if service == "trading":
        return tuple(f"trading_{book}" for book in machine.books)
    return (service,)


def _simulator(machine: Machine) -> Part:
    feed = machine.feed
    options = ["--file", str(feed.file), "--speed", feed.speed] if feed.file else []
    return _python(machine, "simulator", "services.quotes.simulator", feed.kind, *options)
