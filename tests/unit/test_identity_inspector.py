"""A few files at a time: of those that wait for their turn, none is in memory."""

import asyncio
import subprocess

import pytest

from services.identity.inspector import Inspector
from services.kit.errors import Failure
from services.kit.reason import Reason

pytestmark = pytest.mark.security


async def test_a_file_is_read_when_it_is_its_turn() -> None:
    inspector, enough = Inspector(), asyncio.Event()
    reading: list[int] = []

    async def clean(number: int) -> None:
        async def read() -> bytes:
            reading.append(number)
            await enough.wait()
            raise Failure(Reason.DOCUMENT_NOT_FOUND, "forgotten meanwhile")

        with pytest.raises(Failure):
            await inspector.clean(read)

    users = [asyncio.create_task(clean(number)) for number in range(5)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert reading == [0, 1]
    enough.set()
    await asyncio.gather(*users)
    assert reading == [0, 1, 2, 3, 4]


async def test_a_program_that_cannot_be_started_says_nothing_about_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(*_: object, **__: object) -> None:
        raise BlockingIOError("too many processes")

    async def read() -> bytes:
        return b"a file"

    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(Failure) as refused:
        await Inspector().clean(read)
    assert refused.value.reason is Reason.UNAVAILABLE
