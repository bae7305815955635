"""The chart: what is drawn and calculated on it, several instruments, and prices that stop."""

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.feed import command
from tests.browser.visitor import Visitor

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]

FROZEN = "LTCUSD"
STALE_MS = 60_000


def choose(visitor: Visitor, symbol: str) -> None:
    """Show an instrument from the list."""
    visitor.page.get_by_role("option", name=symbol).click()
    expect(visitor.page.get_by_role("heading", name=symbol)).to_be_visible()


def drawings(visitor: Visitor) -> Locator:
    """The drawings, by what each is."""
    return visitor.page.get_by_role("list", name="Drawings").get_by_role(
        "button", name=re.compile("line|Ray|Rectangle|Fibonacci")
    )


def take_tool(visitor: Visitor, name: str) -> None:
    """Choose what to draw."""
    visitor.button("Draw").click()
    visitor.page.get_by_role("menuitem", name=name).click()


def kept(visitor: Visitor, symbol: str) -> str:
    """What the browser keeps of an instrument's drawings."""
    return str(visitor.page.evaluate(f"localStorage.getItem('veritick.drawings.{symbol}')"))


def test_drawings_stay_with_their_instrument_and_obey_pointer_and_keyboard(trader: Visitor) -> None:
    page, keyboard = trader.page, trader.page.keyboard
    # Of candles so wide the chart moves on once a minute only: a line stays where it was put.
    trader.chart.get_by_text("1m", exact=True).click()
    trader.await_trade_page()
    canvas = trader.chart.locator("canvas").first.bounding_box()
    assert canvas is not None
    x, y = canvas["x"] + canvas["width"] / 3, canvas["y"] + canvas["height"] / 2

    take_tool(trader, "Trend line")
    page.mouse.click(x, y)
    page.mouse.move(x + 90, y - 60, steps=3)
    page.mouse.click(x + 90, y - 60)
    expect(drawings(trader)).to_have_text(["Trend line"])
    put = kept(trader, "BTCUSD")

    page.mouse.move(x + 45, y - 30)
    page.mouse.down()
    page.mouse.move(x + 45, y + 30, steps=4)
    page.mouse.up()
    dragged = kept(trader, "BTCUSD")
    assert dragged != put, "the line was not moved by the pointer"

    expect(drawings(trader)).to_be_focused()
    keyboard.press("ArrowUp")
    expect(drawings(trader)).to_be_focused()
    assert kept(trader, "BTCUSD") != dragged, "the line was not moved by the keyboard"

    take_tool(trader, "Fibonacci retracement")
    trader.button("Put it in the middle").press("Enter")
    expect(drawings(trader)).to_have_text(["Trend line", "Fibonacci retracement"])
    trader.picture("drawings")

    choose(trader, "ETH/USD")
    expect(drawings(trader)).to_have_count(0)
    page.reload()
    choose(trader, "BTC/USD")
    expect(drawings(trader)).to_have_count(2)

    drawings(trader).first.focus()
    keyboard.press("Delete")
    expect(drawings(trader)).to_have_text(["Fibonacci retracement"])


def test_an_indicator_follows_its_number_and_is_remembered(trader: Visitor) -> None:
    page = trader.page
    legend = trader.chart.get_by_role("group", name="Values at the crosshair")
    trader.button("Indicators").click()
    for name in ("Moving average", "MACD"):
        trader.button(name).click()
    expect(legend.get_by_text(re.compile(r"^MA 20\s*[\d,]+\.\d\d$"))).to_be_visible()
    before = legend.get_by_text(re.compile("^MA ")).inner_text()

    page.get_by_role("group", name="Moving average").get_by_label("Period").fill("5")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(legend.get_by_text(re.compile(r"^MA 5\s*[\d,]+\.\d\d$"))).to_be_visible()
    assert legend.get_by_text(re.compile("^MA ")).inner_text() != before
    expect(legend.get_by_text(re.compile(r"^MACD 12 26 9(\s*−?[\d.]+){3}$"))).to_be_visible()
    trader.picture("indicators")

    page.reload()
    expect(legend.get_by_text(re.compile(r"^MA 5\s*[\d,]+\.\d\d$"))).to_be_visible()


def test_instruments_stay_in_tabs(trader: Visitor) -> None:
    page = trader.page
    tabs = page.get_by_role("navigation", name="Open instruments")
    trader.button("Add an instrument").click()
    page.keyboard.type("eth")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="ETH/USD")).to_be_visible()
    page.get_by_role("textbox", name="Search instruments").fill("")
    choose(trader, "EUR/USD")
    page.reload()
    expect(tabs.get_by_role("listitem")).to_have_count(3)

    tabs.get_by_role("button", name=re.compile("^ETH.USD")).click()
    expect(page.get_by_role("heading", name="ETH/USD")).to_be_visible()
    expect(trader.chart.locator("output")).to_have_text(re.compile(r"\d"))
    trader.picture("tabs")

    tabs.get_by_role("button", name="Close ETH/USD").click()
    expect(tabs.get_by_role("listitem")).to_have_count(2)
    expect(page.get_by_role("heading", name="EUR/USD")).to_be_visible()


def test_a_price_that_stands_still_is_not_shown_as_live(trader: Visitor) -> None:
    page, price = trader.page, trader.chart.locator("output")
    choose(trader, "LTC/USD")
    expect(trader.chart.get_by_text("Live")).to_be_visible()
    command(trader.platform, "freeze", FROZEN)
    try:
        expect(trader.chart.get_by_text("No fresh price")).to_be_visible(timeout=STALE_MS)
        expect(price).to_have_class(re.compile("text-muted"))
        expect(page.get_by_text("Waiting for a fresh price")).to_be_visible()
        expect(trader.button("Up")).to_have_attribute("aria-disabled", "true")
        trader.picture("stale")
    finally:
        command(trader.platform, "resume")
    expect(trader.chart.get_by_text("Live")).to_be_visible(timeout=STALE_MS)
    expect(price).not_to_have_class(re.compile("text-muted"))
    expect(trader.button("Up")).to_have_attribute("aria-disabled", "false")


def test_a_page_that_slept_shows_the_truth_when_it_wakes(trader: Visitor) -> None:
    devtools = trader.page.context.new_cdp_session(trader.page)
    trader.button("5s").click()
    trader.buy(trader.button("Up").click)
    expect(trader.button("Up")).to_have_attribute("aria-disabled", "false")

    devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
    available = trader.await_settled()
    devtools.send("Page.setWebLifecycleState", {"state": "active"})

    expect(trader.open_orders).to_have_count(0)
    trader.tab("Closed").click()
    expect(trader.closed_orders).to_have_count(1)
    trader.await_balance(available)
    expect(trader.button("Up")).to_have_attribute("aria-disabled", "false")
