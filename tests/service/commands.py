"""Commands run in the process of the tests: a new one takes a second to import what it needs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.logs import logging_as_before


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what was said meanwhile, by it or by a server of the test."""

    returncode: int
    stdout: str
    stderr: str


RunCommand = Callable[[Callable[[], None]], Awaitable[Ended]]


@pytest.fixture
def run_command(capsys: pytest.CaptureFixture[str]) -> Iterator[RunCommand]:
    """Run the function that is a command; its end is what an interpreter makes of it."""

    async def run(command: Callable[[], None]) -> Ended:
        capsys.readouterr()  # what others said before
        code, last_words = await asyncio.to_thread(_end_of, command)
        said = capsys.readouterr()
        return Ended(code, said.out, said.err + last_words)

    with logging_as_before():
        yield run


def _end_of(command: Callable[[], None]) -> tuple[int, str]:
    try:
        command()
    except SystemExit as end:
        return (end.code, "") if isinstance(end.code, int) else (1, f"{end.code}\n")
    return 0, ""
