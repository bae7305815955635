"""What the tests of identity are given; a test module names this file in `pytest_plugins`."""

from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest

from services.kit.clock import ManualClock, utc
from services.kit.process import Application, Face, serving
from services.kit.settings import ServiceSettings
from services.kit.tokens import Keyring
from services.local.databases import Access
from services.local.keys import ensure_keys
from tests.service.identity_server import Identity, StartIdentity, Trading, running_identity
from tests.stores import Postgres
from veritick.trading.v1.account_service_pb2_grpc import add_AccountServiceServicer_to_server
from veritick.trading.v1.limit_service_pb2_grpc import add_LimitServiceServicer_to_server
from veritick.trading.v1.personal_data_service_pb2_grpc import (
    add_PersonalDataServiceServicer_to_server,
)

_TABLES = (
    "users, roles, maintenance, proposal, used_assertions, letters, mailbox, throttles, job, "
    "device_trader, barred_address, "
    "journal, journal_head, journal_subject, "
    "follower_position, audit_record, audit_seal"
)
NOON = utc(2026, 11, 23, 12)


@pytest.fixture(scope="session")
def identity_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the keys of all services."""
    folder = tmp_path_factory.mktemp("keys")
    ensure_keys(folder)
    return folder


@pytest.fixture
def identity_clock() -> ManualClock:
    """The time for identity and its neighbours."""
    return ManualClock(NOON)


@pytest.fixture
async def identity_trading(
    identity_keys: Path, identity_clock: ManualClock
) -> AsyncIterator[Trading]:
    """A server in trading's place."""
    servicer = Trading()  # type: ignore[abstract]  # it is asked for one thing only
    keyring = Keyring.load(identity_keys, "trading")
    faces: list[Face] = [
        (add_AccountServiceServicer_to_server, servicer),
        (add_LimitServiceServicer_to_server, servicer),
        (add_PersonalDataServiceServicer_to_server, servicer),
    ]
    application = Application(keyring, faces)
    settings = ServiceSettings(mode="development", drain_seconds=0)
    async with serving("trading", settings, application, identity_clock) as running:
        servicer.address = running.address
        yield servicer


@pytest.fixture(scope="session")
def identity_database(postgres: Postgres) -> Iterator[Access]:
    """The database of all these tests."""
    with postgres.database("identity") as access:
        yield access


@pytest.fixture
def identity_access(identity_database: Access) -> Access:
    """The same, emptied: much faster than a new one."""
    with psycopg.connect(identity_database.owner) as connection:
        connection.execute(f"TRUNCATE {_TABLES} CASCADE")
    return identity_database


@pytest.fixture
def start_identity(
    identity_keys: Path, identity_clock: ManualClock, identity_access: Access
) -> StartIdentity:
    """Start identity with settings of the test's own; started twice, both share the database."""
    return partial(running_identity, identity_keys, identity_clock, identity_access)


@pytest.fixture
async def identity(start_identity: StartIdentity) -> AsyncIterator[Identity]:
    """An identity with the usual settings, and without a neighbour."""
    async with start_identity() as identity:
        yield identity
