"""A real browser in front of the whole platform."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, StorageState, expect, sync_playwright

from tests.browser.visitor import DESKTOP, Visitor, visiting
from tests.platform import Platform

# A busy machine with two processors shows things late; what never comes fails all the same.
expect.set_options(timeout=30_000)

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


# Of this folder, not of the session: while it is driven, its thread can run no other event loop.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The system's Chromium; without one these tests fail: nothing else would try the page."""
    found = [path for name in BROWSERS if (path := shutil.which(name))]
    assert found, f"no browser: install one of {', '.join(BROWSERS)}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found[0], args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def terminal(platform: Platform) -> Platform:
    """The platform, with the terminal built."""
    page = Path(__file__).parents[2] / "clients" / "terminal" / "dist" / "index.html"
    assert page.is_file(), "the terminal is not built: run `make terminal`"
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
