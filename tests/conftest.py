"""What every test may stand on."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# What fails in a helper is explained like what fails in a test; so before any is imported.
HELPERS = [path.stem for path in Path(__file__).parent.iterdir() if path.stem != "conftest"]
pytest.register_assert_rewrite(*(f"tests.{name}" for name in HELPERS))

from tests import failures, workers
from tests.faults.report import Report
from tests.platform import SHARED, Platform, running_platform
from tests.stores import Postgres, ValkeyServer, running_postgres, running_valkey


@pytest.fixture(scope="session")
def stores_folder() -> Iterator[Path]:
    """A folder with a short name, because the paths of sockets have to be short."""
    with tempfile.TemporaryDirectory(prefix="veritick-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres(stores_folder: Path) -> Iterator[Postgres]:
    """A real Postgres; each test takes databases of its own from it."""
    with running_postgres(stores_folder) as postgres:
        yield postgres


@pytest.fixture(scope="session")
def valkey(stores_folder: Path) -> Iterator[ValkeyServer]:
    """A real Valkey, shared: flush it where that matters."""
    with running_valkey(stores_folder) as valkey:
        yield valkey


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """The whole platform as separate processes, shared by all tests that only use it."""
    told = {
        "VERITICK_SIGN_EVERY_SECONDS": "2",
        "VERITICK_SIMULATOR_CONTROL": "true",
        "VERITICK_ERASURE_WAIT_HOURS": "0",
        "VERITICK_ERASURE_PAUSE_SECONDS": "1",
    }
    with SHARED:  # also when a run is broken off
        yield SHARED.enter_context(running_platform(environment=told))


def pytest_configure(config: pytest.Config) -> None:
    """Add the plugins of these tests."""
    config.pluginmanager.register(workers)
    config.pluginmanager.register(failures)
    config.pluginmanager.register(Report())


# The same commit is judged the same twice, and on a slow machine as on a fast one;
# `--hypothesis-profile=default` goes looking further.
settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")
