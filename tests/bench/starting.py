"""B1: from `make up` to the first accepted order, on a machine where everything is built."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.local.ports import Ports
from tests.bench.rows import Row, repeated
from tests.platform import free_base
from tests.stores import Postgres
from veritick import Veritick

GOAL_SECONDS, STRETCH = 8.0, 0.75
_REPOSITORY = Path(__file__).parents[2]
_PATIENCE_SECONDS = 120


async def b1(_: Postgres, folder: Path) -> Row:
    """Measure the start of a platform whose data are there; the first round makes them."""

    async def seconds() -> float:
        base = free_base()
        url = f"http://{Ports(base).address('rest')}"
        began = time.monotonic()
        async with _made_up(folder / "home", base, url):
            async with Veritick.connect(url) as veritick:
                email = f"{secrets.token_hex(8)}@example.com"
                await veritick.log_in(email, "a long passphrase", register=True)
                account = await veritick.account("DEMO")
                await veritick.place(
                    account, "BTCUSD", "UP", stake_minor_units=100, duration_seconds=5
                )
            return time.monotonic() - began

    measured = await repeated(seconds)
    title = "make up → first accepted order, everything built, its data there"
    return Row("B1", title, "s", measured, [GOAL_SECONDS], 1, STRETCH, less=True)


@asynccontextmanager
async def _made_up(home: Path, base: int, url: str) -> AsyncIterator[None]:
    """Run `make up` as a person does, from when it says that it is ready."""
    process = await asyncio.create_subprocess_exec(
        *("make", "--no-print-directory", "up"),
        cwd=_REPOSITORY,
        env={**os.environ, "VERITICK_HOME": str(home), "VERITICK_PORT": str(base)},
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await _until_said(process.stdout, f"ready {url}")
        yield
    finally:
        # As Ctrl-C does: to everything that was started together.
        os.killpg(process.pid, signal.SIGINT)
        await process.communicate()


async def _until_said(output: asyncio.StreamReader, words: str) -> None:
    while line := await output.readline():
        if line.decode().strip() == words:
            return
    raise RuntimeError("make up ended before it was ready")
