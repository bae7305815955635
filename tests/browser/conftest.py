"""A real browser in front of the whole platform."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, StorageState

from tests.browser.chromium import running_chromium
from tests.browser.visitor import DESKTOP, Visitor, visiting
from tests.platform import Platform


# Of this folder, not of the session: while it is driven, its thread can run no other event loop.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def terminal(platform: Platform) -> Platform:
    """The platform, with both apps built."""
    clients = Path(__file__).parents[2] / "clients"
    for app in ("terminal", "admin"):
        assert (clients / app / "dist" / "index.html").is_file(), "not built: run `make terminal`"
    return platform


@pytest.fixture(scope="package")
def signed_in(browser: Browser, terminal: Platform) -> StorageState:
    """The cookies of somebody who signed up once, since that is rate limited."""
    with visiting(browser, terminal) as visitor:
        visitor.sign_up()
        return visitor.page.context.storage_state()


@pytest.fixture
def newcomer(browser: Browser, terminal: Platform) -> Iterator[Visitor]:
    """Somebody who has never been here, at a desk."""
    with visiting(browser, terminal) as visitor:
        yield visitor


@pytest.fixture
def trader(browser: Browser, terminal: Platform, signed_in: StorageState) -> Iterator[Visitor]:
    """Somebody who is signed in, at a desk."""
    with visiting(browser, terminal, DESKTOP, signed_in) as visitor:
        visitor.open_trade_page()
        yield visitor
