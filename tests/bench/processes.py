"""Processes of the bench: started, asked for their address, looked at, and ended."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

_READY_SECONDS = 30
_STOP_SECONDS = 15


@dataclass(frozen=True)
class Running:
    """A process that serves."""

    process: asyncio.subprocess.Process
    address: str

    @property
    def own_bytes(self) -> int:
        """The memory that it shares with nobody."""
        lines = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines()
        kilobytes = [int(line.split()[1]) for line in lines if line.startswith("Private_")]
        return sum(kilobytes) * 1024


@asynccontextmanager
async def running(
    module: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Running]:
    """Run a module until the block is left, from when it has logged the address it serves on."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        env={**os.environ, "VERITICK_LOG_FORMAT": "json", **(environment or {})},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_READY_SECONDS):
            address = await _address(process.stdout)
        drain = asyncio.create_task(_drain(process.stdout))
        yield Running(process, address)
        drain.cancel()
    finally:
        await _stop(process)


def say_address(address: str) -> None:
    """Tell whoever started this process where it serves, as our own runtimes do."""
    print(json.dumps({"event": "serving", "address": address}), flush=True)


async def _address(output: asyncio.StreamReader) -> str:
    while line := await output.readline():
        said = json.loads(line) if line.startswith(b"{") else {}
        if said.get("event") == "serving":
            return str(said.get("address") or said.get("http"))
    raise RuntimeError("a process ended before it served")


async def _drain(output: asyncio.StreamReader) -> None:
    while await output.readline():
        pass


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
