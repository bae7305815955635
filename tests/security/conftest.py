"""A platform to attack: its services as they run, behind an edge in production mode."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.platform import Platform
from tests.security.actors import Actors, registered

CLASSES = ("read", "write", "trade", "credential", "export")
GENEROUS = json.dumps({name: {"per_second": 100_000, "burst": 100_000} for name in CLASSES})
"""Limits are attacked elsewhere; here they would only hide what is behind them."""


@pytest.fixture(scope="session")
def edge(platform: Platform) -> Iterator[str]:
    """The URL of an edge in production mode, in front of the platform's services."""
    with running_edge(platform) as url:
        yield url


@pytest.fixture(scope="session")
def actors(platform: Platform, edge: str) -> Actors:
    """Everybody who may call, with a token that counts on this platform."""
    return Actors(platform.home / "keys", registered(platform, edge))


@contextmanager
def running_edge(platform: Platform) -> Iterator[str]:
    """Run `python -m edge rest` as production does."""
    ports = platform.ports
    told = {
        "PATH": os.environ["PATH"],
        "VERITICK_KEYS": str(platform.home / "keys"),
        "VERITICK_HTTP_LISTEN": "127.0.0.1:0",
        "VERITICK_ALLOWANCES": GENEROUS,
        "VERITICK_DRAIN_SECONDS": "1",
        # What is asked here is who may, not how soon: the machine may be slow.
        "VERITICK_CALL_SECONDS_MAX": "60",
        "VERITICK_TRUSTED_PROXIES": '["127.0.0.0/8"]',
        **{
            f"VERITICK_{name.upper()}_ADDRESS": ports.address(name)
            for name in ("identity", "quotes", "trading", "settlement")
        },
    }
    command = [sys.executable, "-m", "edge", "rest"]
    process = subprocess.Popen(command, env=told, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        serving = next(line for line in process.stdout if '"event": "serving"' in line)
        yield f"http://{json.loads(serving)['http']}"
    finally:
        process.terminate()
        process.communicate(timeout=60)
