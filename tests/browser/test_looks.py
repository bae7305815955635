"""What every page owes everybody: nothing for axe to say, no sideways scrolling, every language."""

import json
import re
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.browser.axe import complaints
from tests.browser.visitor import DESKTOP, PHONE, Visitor, visiting
from tests.platform import Platform

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]

PAGES = ("/", "/history", "/profit", "/statement")
OWN_PAGES = tuple(
    f"/account/{page}" for page in ("profile", "security", "verification", "protection", "data")
)
SHEETS = ("Settings", "Keyboard shortcuts", "How orders are settled")
WIDTHS = (360, 768, 1440)
# How far the page, or what scrolls within it, can be scrolled to the right.
SIDEWAYS = """Math.max(...[document.documentElement, document.querySelector("main")]
    .map((each) => each.scrollWidth - each.clientWidth))"""


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_nothing_serious(
    browser: Browser,
    terminal: Platform,
    signed_in: StorageState,
    scheme: Literal["dark", "light"],
) -> None:
    with visiting(browser, terminal, DESKTOP, signed_in) as visitor:
        page = visitor.page
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for path in PAGES:
            page.goto(terminal.url + path)
            expect(page.get_by_role("main")).to_be_visible()
            expect(visitor.page.get_by_label("Balance")).to_be_visible()
            visitor.picture(f"{scheme}{path.replace('/', '-')}")
            assert complaints(page) == [], path
            page.set_viewport_size(PHONE)
            assert complaints(page) == [], f"{path} on a phone"
            page.set_viewport_size(DESKTOP)
        page.set_viewport_size(PHONE if scheme == "light" else DESKTOP)
        for path in OWN_PAGES:
            page.goto(terminal.url + path)
            expect(page.get_by_role("heading", level=2).nth(1)).to_be_visible()
            assert complaints(page) == [], path
        page.set_viewport_size(DESKTOP)
        page.get_by_role("button", name=re.compile("Notifications")).click()
        expect(page.get_by_role("dialog", name="Notifications")).to_be_visible()
        assert complaints(page) == [], "notifications"
        page.keyboard.press("Escape")
        for name in SHEETS:
            visitor.button("Account").click()
            page.get_by_role("menuitem", name=name).click()
            expect(page.get_by_role("dialog", name=name)).to_be_visible()
            assert complaints(page) == [], name
            page.keyboard.press("Escape")
            expect(page.get_by_role("dialog", name=name)).to_have_count(0)


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_nothing_serious_before_signing_in(
    newcomer: Visitor, scheme: Literal["dark", "light"]
) -> None:
    newcomer.page.emulate_media(color_scheme=scheme)
    for path in ("/sign-in", "/sign-up"):
        newcomer.page.goto(newcomer.platform.url + path)
        expect(newcomer.page.get_by_label("Email")).to_be_visible()
        assert complaints(newcomer.page) == [], path


@pytest.mark.parametrize(
    ("language", "up", "history"),
    [("en", "Up", "Order history"), ("ru", "Вверх", "История сделок"), ("es", "Sube", "Historial")],
)
def test_every_page_speaks_the_language_and_fits_every_screen(
    browser: Browser,
    terminal: Platform,
    signed_in: StorageState,
    language: str,
    up: str,
    history: str,
) -> None:
    with visiting(browser, terminal, DESKTOP, signed_in) as visitor:
        page = visitor.page
        wish = json.dumps(json.dumps(language))
        page.add_init_script(f"localStorage.setItem('veritick.language', {wish})")
        for path in (*PAGES, *OWN_PAGES):
            page.goto(terminal.url + path)
            expect(page.get_by_role("main")).to_be_visible()
            if path in OWN_PAGES:
                expect(page.get_by_role("heading", level=2).nth(1)).to_be_visible()
            expect(page.locator("html")).to_have_attribute("lang", language)
            if path == "/":
                expect(page.get_by_role("button", name=up, exact=True)).to_be_enabled()
            if path == "/history":
                expect(page.get_by_role("heading", name=re.compile(history))).to_be_visible()
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 800})
                _require_fitting(page, f"{path} at {width}")
                visitor.picture(f"{language}-{width}{path.replace('/', '-')}")
            shown = page.locator("body").inner_text()
            assert re.findall(r"\b[a-z]+\.[a-z]+[A-Z.]\w*", shown) == [], "a text is missing"


def _require_fitting(page: Page, where: str) -> None:
    """Fail when the page still scrolls sideways after it had the time to fit its width."""
    for _ in range(100):
        if page.evaluate(SIDEWAYS) == 0:
            return
        page.wait_for_timeout(100)
    pytest.fail(f"{where} scrolls sideways by {page.evaluate(SIDEWAYS)} px")
