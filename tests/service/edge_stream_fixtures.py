"""What the tests of the socket are given; a test module names this file in `pytest_plugins`."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from edge.stream.app import running
from services.local.keys import ensure_keys
from tests.service.edge_stream_world import World, running_world


@pytest.fixture(scope="session")
def stream_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the keys of all services."""
    folder = tmp_path_factory.mktemp("keys")
    ensure_keys(folder)
    return folder


@pytest.fixture
def stream_folder() -> Iterator[Path]:
    """A folder with a short name, because the paths of sockets have to be short."""
    with tempfile.TemporaryDirectory(prefix="veritick-") as folder:
        yield Path(folder)


@pytest.fixture
async def stage(stream_keys: Path, stream_folder: Path) -> AsyncIterator[World]:
    """Services and a Redis of the test's own."""
    async with running_world(stream_keys, stream_folder) as stage:
        yield stage


@pytest.fixture
async def edge(stage: World) -> AsyncIterator[str]:
    """The address of a socket server on that stage."""
    async with running(stage.settings()) as process:
        yield process.address
