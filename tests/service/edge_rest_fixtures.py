"""What the tests of the REST edge are given; a test module names this file in `pytest_plugins`."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.local.keys import ensure_keys
from tests.service.edge_rest_world import World, running_edge, running_world


@pytest.fixture(scope="session")
def rest_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the keys of all services."""
    folder = tmp_path_factory.mktemp("keys")
    ensure_keys(folder)
    return folder


@pytest.fixture
async def rest_world(rest_keys: Path) -> AsyncIterator[World]:
    """Services of the test's own."""
    async with running_world(rest_keys) as world:
        yield world


@pytest.fixture
async def rest(rest_world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an edge in front of them."""
    async with running_edge(rest_world.settings()) as client:
        yield client
