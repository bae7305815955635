"""What the tests of the kit are given; a test module names this file in `pytest_plugins`."""

from collections.abc import AsyncIterator

import pytest

from services.kit.database import Database
from services.kit.settings import DatabaseSettings
from tests.service.kit_databases import Databases
from tests.stores import Postgres


@pytest.fixture(scope="session")
def kit_databases(postgres: Postgres) -> Databases:
    """The server that all tests share."""
    return Databases(postgres.cluster, postgres.passwords)


@pytest.fixture
def kit_settings(kit_databases: Databases) -> DatabaseSettings:
    """A fresh database with the kit's tables."""
    return kit_databases.migrated()


@pytest.fixture
async def kit_database(kit_settings: DatabaseSettings) -> AsyncIterator[Database]:
    """The same, as the service uses it."""
    async with Database.from_settings(kit_settings, name="kit") as database:
        yield database
