"""Whether this machine has the room that the bench needs, asked before anything is measured."""

from __future__ import annotations

import resource
import shutil
import tempfile
from pathlib import Path

from tests.bench.results import JSON
from tests.platform import free_base

DISK_BYTES = 4 << 30
MEMORY_BYTES = 3 << 30
FILES = 8_192
"""A process of the bench holds four thousand sockets, and a few files more."""


def shortages() -> list[str]:
    """Return what is lacking, in words; raises this process's limit of open files if it may."""
    folder = Path(tempfile.gettempdir())
    return [
        *lacking("free disk in " + str(folder), shutil.disk_usage(folder).free, DISK_BYTES),
        *lacking("available memory", _available_memory(), MEMORY_BYTES),
        *_without_files(),
        *_without_ports(),
        *_without_results(),
    ]


def lacking(what: str, present: int, needed: int) -> list[str]:
    """Say that there is too little of something, if there is."""
    if present >= needed:
        return []
    return [f"{what}: {present / (1 << 30):.1f} GB of the {needed / (1 << 30):.0f} GB needed"]


def _available_memory() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    available = next(line for line in lines if line.startswith("MemAvailable:"))
    return int(available.split()[1]) * 1024


def _without_files() -> list[str]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES:
        return [f"open files: a process may have {hard}, {FILES} are needed (ulimit -Hn)"]
    if soft < FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))
    return []


def _without_ports() -> list[str]:
    try:
        free_base()
    except AssertionError:
        return ["ports: none of the ranges between 20000 and 32000 is free"]
    return []


def _without_results() -> list[str]:
    try:
        JSON.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=JSON.parent):
            return []
    except OSError as error:
        return [f"a place for results: {JSON.parent} cannot be written ({error.strerror})"]
