"""Which tests run side by side: what shares processes or a module's fixtures stays together."""

from collections.abc import Generator

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.platform import SHARED

_ON_THE_SHARED_PLATFORM = ("browser", "end_to_end", "security")
_LONGEST_FIRST = (*_ON_THE_SHARED_PLATFORM, "faults", "service")
_APART = "tests/end_to_end/test_outage.py"
"""Hurts a platform of its own, and needs no other."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long in one piece, so that the workers end together."""
    items.sort(key=lambda item: _rank(item.nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Let pytest -n hand out pieces of work as they are here."""
    config.option.loadscopereorder = False  # by the number of tests: it says nothing of their time
    return Scheduling(config, log)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, None, None]:
    """Stop the shared platform after its last test: for the rest it would only take time."""
    yield
    if _shares(item.nodeid) and (nextitem is None or not _shares(nextitem.nodeid)):
        SHARED.close()


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # published without types
    """What the pieces of work are."""

    def _split_scope(self, nodeid: str) -> str:
        """Return the piece of a test: its module; the browser's, or the others' of a platform."""
        if not _shares(nodeid):
            return nodeid.partition("::")[0]
        return "browser" if _folder(nodeid) == "browser" else "platform"


def _shares(nodeid: str) -> bool:
    return _folder(nodeid) in _ON_THE_SHARED_PLATFORM and not nodeid.startswith(_APART)


def _folder(nodeid: str) -> str:
    return nodeid.split("/")[1]


def _rank(nodeid: str) -> int:
    folder = "faults" if nodeid.startswith(_APART) else _folder(nodeid)
    return _LONGEST_FIRST.index(folder) if folder in _LONGEST_FIRST else len(_LONGEST_FIRST)
