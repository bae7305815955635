"""A real browser in front of the whole platform."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, StorageState, expect

from tests.browser.chromium import running_chromium
from tests.browser.visitor import Visitor, visiting
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
    """The cookies of somebody who has traded, for tests that only look at his pages."""
    with visiting(browser, terminal) as visitor:
        visitor.join()
        visitor.open_trade_page()
        visitor.button("5s").click()
        for name in ("Up", "Down"):
            with visitor.page.expect_response(re.compile("/orders$")):
                visitor.button(name).click()
            expect(visitor.button(name)).to_have_attribute("aria-disabled", "false")
        # Nothing happens any more while his pages are looked at.
        visitor.await_settled()
        expect(visitor.open_orders).to_have_count(0)
        # Where prices came too late to buy on, there is less to look at, which is no fault.
        visitor.complaints.clear()
        return visitor.page.context.storage_state()


@pytest.fixture
def newcomer(browser: Browser, terminal: Platform) -> Iterator[Visitor]:
    """Somebody who has never been here, at a desk."""
    with visiting(browser, terminal) as visitor:
        yield visitor


@pytest.fixture
def trader(newcomer: Visitor) -> Visitor:
    """Somebody new who is signed in, at the trade page: no order is open but his own."""
    newcomer.join()
    newcomer.open_trade_page()
    return newcomer
