"""What a failed test is read with: the last words of the processes that it used."""

from collections.abc import Generator

import pytest

from tests.platform import Logged


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure the end of the logs of every platform among the test's fixtures."""
    report = yield
    if report.failed:
        for name, fixture in getattr(item, "funcargs", {}).items():
            if isinstance(fixture, Logged):
                report.sections.append((f"last words of {name}", fixture.last_words()))
    return report
