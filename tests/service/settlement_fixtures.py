"""What the tests of settlement are given; a test module names this file in `pytest_plugins`."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.local import databases
from services.local.databases import Access
from services.local.keys import ensure_keys
from tests.service.settlement_world import World, running_world
from tests.service.trading_fixtures import Bench, bench
from tests.stores import Postgres


@pytest.fixture(scope="session")
def settlement_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the keys of all services."""
    folder = tmp_path_factory.mktemp("keys")
    ensure_keys(folder)
    return folder


@pytest.fixture
async def world(postgres: Postgres, settlement_keys: Path) -> AsyncIterator[World]:
    """A book and scripted quotes around an empty settlement."""
    limits: dict[str, Any] = {"open_orders_max": 2_000, "exposure_max": 10**12}
    with postgres.database("settlement") as access:
        async with bench(postgres, "BTCUSD", "ETHUSD", **limits) as demo:
            book = await access_to(postgres, demo)
            async with running_world(demo, access, book, settlement_keys) as world:
                yield world


async def access_to(postgres: Postgres, demo: Bench) -> Access:
    """Return the two ways into the database of a bench's book."""
    async with demo.desk.book.database.raw() as connection:
        row = await (await connection.execute("SELECT current_database()")).fetchone()
    assert row
    return databases.access(postgres.cluster, postgres.passwords, "trading_demo", row[0])
