"""A trade, seen and done in a browser: sign up, watch, buy, see it settled, read why."""

import csv
import re
from decimal import Decimal

import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.browser.axe import complaints
from tests.browser.visitor import PHONE, SETTLED_MS, Visitor

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]

STAKE = Decimal(10)
PROFITS = {"Won": Decimal("8.50"), "Lost": -STAKE, "Draw": Decimal(0), "Refunded": Decimal(0)}
OUTCOME = re.compile("|".join(PROFITS))


def outcome_of_last(visitor: Visitor) -> str:
    """How the order that closed last ended, as the list says it."""
    shown = visitor.closed_orders.first.inner_text()
    found = OUTCOME.search(shown)
    assert found, shown
    return found.group()


def take_the_tour(visitor: Visitor) -> None:
    """Be shown around by the Enter key alone."""
    for title in (
        "Welcome to your demo account",
        "Choose what to trade",
        "How much, and until when",
        "Up or Down",
        "Watch it, then check it",
    ):
        expect(visitor.page.get_by_role("dialog", name=title)).to_be_visible()
        assert complaints(visitor.page) == [], title
        visitor.picture(f"tour-{title.split()[0].lower()}")
        visitor.page.keyboard.press("Enter")
    expect(visitor.page.get_by_role("dialog")).to_have_count(0)


def read_the_records(visitor: Visitor, outcome: str) -> None:
    """Find the one order in the history, in its file, in the profit and among what happened."""
    page = visitor.page
    page.get_by_role("link", name="History", exact=True).click()
    receipts = page.get_by_role("button", name=re.compile("Show the receipt"))
    expect(receipts).to_have_count(1)
    with page.expect_download() as kept:
        visitor.button("CSV").click()
    (row,) = csv.DictReader(kept.value.path().read_text().splitlines())
    assert kept.value.suggested_filename.startswith("veritick-orders-demo-")
    assert (row["direction"], row["stake"]) == ("UP", "10.00")
    assert Decimal(row["profit"]) == PROFITS[outcome]
    page.get_by_role("spinbutton", name="Until: month").press_sequentially("01312026")
    expect(page.get_by_text("No order matches these filters.")).to_be_visible()

    page.get_by_role("link", name="Profit", exact=True).click()
    shown = f"{PROFITS[outcome]:+,.2f}".replace("+", "+$").replace("-", "−$")
    profit = page.get_by_role("cell", name=shown if PROFITS[outcome] else "$0.00", exact=True)
    expect(profit).to_be_visible()
    visitor.picture("profit")


def test_a_newcomer_is_shown_around_buys_up_and_sees_the_server_settle_it(
    newcomer: Visitor,
) -> None:
    newcomer.sign_up(tour=True)
    page = newcomer.page
    take_the_tour(newcomer)
    newcomer.await_balance(Decimal(10_000))

    price, drawn = newcomer.price, newcomer.chart.screenshot()
    expect(newcomer.chart.locator("output")).not_to_have_text(price)
    page.wait_for_timeout(1_000)
    assert newcomer.chart.screenshot() != drawn, "the chart stands still"

    newcomer.button("15s").click()
    expect(page.get_by_text("+$8.50")).to_be_visible()
    order = newcomer.buy(lambda: page.keyboard.press("u"))

    expect(newcomer.open_orders).to_have_text(re.compile(r"0:(1[0-5]|0\d)"))
    newcomer.await_balance(Decimal(10_000) - STAKE)
    newcomer.picture("open")

    expect(newcomer.open_orders).to_have_count(0, timeout=SETTLED_MS)
    newcomer.tab("Closed").click()
    expect(newcomer.closed_orders).to_have_count(1)
    outcome = outcome_of_last(newcomer)
    newcomer.await_balance(Decimal(10_000) + PROFITS[outcome])
    newcomer.picture("closed")

    newcomer.await_receipt(order)
    newcomer.closed_orders.first.click()
    receipt = page.get_by_role("dialog", name="Receipt")
    expect(receipt.get_by_text(outcome, exact=True)).to_be_visible()
    expect(receipt.get_by_text("An Up order wins if the price at expiry is above")).to_be_visible()
    expect(receipt.get_by_role("row", name=re.compile("decides"))).to_have_count(1)
    expect(receipt.get_by_text(re.compile("^[0-9a-f]{64}$")).first).to_be_visible()
    expect(receipt.get_by_role("row", name=re.compile("Stake"))).to_be_visible()
    receipt.get_by_role("button", name="Verify").click()
    expect(receipt.get_by_text("Verified:")).to_be_visible()
    newcomer.picture("receipt")
    assert complaints(page) == []
    page.keyboard.press("Escape")
    expect(receipt).to_have_count(0)

    page.reload()
    newcomer.await_trade_page()
    newcomer.await_balance(Decimal(10_000) + PROFITS[outcome])
    newcomer.tab("Closed").click()
    expect(newcomer.closed_orders).to_have_count(1)
    expect(newcomer.button("Notifications, 1 unread")).to_be_visible()
    read_the_records(newcomer, outcome)


def test_a_double_click_buys_once(trader: Visitor) -> None:
    # Of a duration that outlasts the test: what is bought stays open.
    trader.button("1m").click()
    before = trader.balance

    trader.buy(lambda: trader.button("Down").dblclick(delay=80))

    trader.await_balance(before - STAKE)
    trader.page.wait_for_timeout(1_000)
    expect(trader.open_orders).to_have_count(1)
    assert trader.balance == before - STAKE


def test_an_order_that_closes_while_the_socket_is_cut_is_seen_closed_once(
    newcomer: Visitor,
) -> None:
    sockets: list[WebSocketRoute] = []
    cut = False

    def pass_on(socket: WebSocketRoute) -> None:
        if cut:
            socket.close()
        else:
            socket.connect_to_server()
            sockets.append(socket)

    newcomer.join()
    newcomer.page.route_web_socket(re.compile("/v1/stream"), pass_on)
    newcomer.open_trade_page()
    newcomer.tab("Closed").click()
    expect(newcomer.positions.get_by_text("Orders that have been settled")).to_be_visible()
    before = newcomer.balance
    newcomer.button("5s").click()
    newcomer.buy(newcomer.button("Up").click)

    cut = True
    sockets[-1].close()
    expect(newcomer.page.get_by_text("Reconnecting")).to_be_visible()
    expect(newcomer.button("Up")).to_have_attribute("aria-disabled", "true")
    expect(newcomer.page.get_by_text("Waiting for the connection")).to_be_visible()
    newcomer.await_settled()
    cut = False

    expect(newcomer.page.get_by_text("Reconnecting")).to_have_count(0)
    expect(newcomer.closed_orders).to_have_count(1)
    newcomer.await_balance(before + PROFITS[outcome_of_last(newcomer)])
    expect(newcomer.button("Up")).to_have_attribute("aria-disabled", "false")


def test_a_stake_the_terms_refuse_says_why_and_cannot_be_sent(trader: Visitor) -> None:
    stake = trader.page.get_by_label("Stake", exact=True)
    for typed, reason in (
        ("0.50", "The smallest stake is $1.00"),
        ("5000", "The largest stake is $1,000.00"),
        ("ten", "Enter a stake"),
    ):
        stake.fill(typed)
        expect(trader.page.get_by_text(reason)).to_be_visible()
        expect(trader.button("Up")).to_have_attribute("aria-disabled", "true")
    stake.fill("10")
    expect(trader.button("Up")).to_have_attribute("aria-disabled", "false")


def test_an_instrument_is_found_and_chosen_by_keyboard(trader: Visitor) -> None:
    trader.page.get_by_role("textbox", name="Search instruments").fill("eth")
    trader.page.keyboard.press("ArrowDown")
    trader.page.keyboard.press("Enter")

    expect(trader.page.get_by_role("heading", name=re.compile("ETH"))).to_be_visible()
    expect(trader.chart.locator("output")).to_have_text(re.compile(r"\d"))


def test_a_phone_trades_without_scrolling_sideways(
    newcomer: Visitor,
) -> None:
    page = newcomer.page
    page.set_viewport_size(PHONE)
    newcomer.join()
    newcomer.open_trade_page()
    page.get_by_role("button", name=re.compile("USD")).click()
    page.get_by_role("option", name=re.compile("BTC")).click()
    before = newcomer.balance

    newcomer.buy(newcomer.button("Down").click)

    newcomer.await_balance(before - STAKE)
    expect(newcomer.open_orders.first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    newcomer.picture("phone")
