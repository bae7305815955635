"""One platform for all, and one trader who is signed in, with his own account."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.end_to_end.traders import Credentials, Trader, newcomer, trading
from tests.platform import Platform


@pytest.fixture(scope="session")
def credentials(platform: Platform) -> Credentials:
    """Somebody who registered once for the whole session, since signing in is rate limited."""
    return asyncio.run(newcomer(platform))


@pytest.fixture
async def trader(platform: Platform, credentials: Credentials) -> AsyncIterator[Trader]:
    """That trader, at work."""
    async with trading(platform, credentials) as trader:
        yield trader


@pytest.fixture(scope="session")
def stranger_credentials(platform: Platform) -> Credentials:
    """Somebody else."""
    return asyncio.run(newcomer(platform))


@pytest.fixture
async def stranger(platform: Platform, stranger_credentials: Credentials) -> AsyncIterator[Trader]:
    """Somebody else, at work."""
    async with trading(platform, stranger_credentials) as trader:
        yield trader
