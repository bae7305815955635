"""Which tests run side by side: what shares processes or a module's fixtures stays together."""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

_ON_ONE_PLATFORM = ("end_to_end", "security", "browser")
_LONGEST_FIRST = (*_ON_ONE_PLATFORM, "faults", "service")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long in one piece, so that the workers end together."""
    items.sort(key=lambda item: _rank(_folder(item.nodeid)))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Let pytest -n hand out pieces of work as they are here."""
    config.option.loadscopereorder = False  # by the number of tests: it says nothing of their time
    return Scheduling(config, log)


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # published without types
    """All that uses the one platform is one piece of work, and else every module is."""

    def _split_scope(self, nodeid: str) -> str:
        return "platform" if _folder(nodeid) in _ON_ONE_PLATFORM else nodeid.partition("::")[0]


def _folder(nodeid: str) -> str:
    return nodeid.split("/")[1]


def _rank(folder: str) -> int:
    return _LONGEST_FIRST.index(folder) if folder in _LONGEST_FIRST else len(_LONGEST_FIRST)
