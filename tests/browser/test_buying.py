"""Buying when something is in the way: a closed market, another payout, a lost answer, refusals.

It is done in instruments that trade around the clock: FX is closed at weekends.
"""

import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from playwright.sync_api import Route, WebSocketRoute, expect

from tests.browser.staff import change_payout, closed_market
from tests.browser.visitor import ORDERS, Visitor

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]

QUESTIONS = re.compile("/orders.*requestId")
ABSENT = str(uuid.UUID(int=0))
STAKE = Decimal(10)


def choose(visitor: Visitor, symbol: str) -> None:
    """Show an instrument from the list."""
    visitor.page.get_by_role("option", name=symbol).click()
    expect(visitor.page.get_by_role("heading", name=symbol)).to_be_visible()


def test_a_closed_market_says_until_when_and_opens_by_itself(trader: Visitor) -> None:
    page = trader.page
    choose(trader, "LINK/USD")
    trader.page.get_by_role("button", name="Favourite: LINK/USD").click()
    expect(trader.button("Up")).to_have_attribute("aria-disabled", "false")

    with closed_market(trader.platform, "LINKUSD"):
        expect(page.get_by_text(re.compile(r"Market closed until \d\d:\d\d"))).to_be_visible()
        expect(page.get_by_text("LINK/USD is closed")).to_be_visible()
        expect(trader.button("Up")).to_have_attribute("aria-disabled", "true")
        reason = trader.button("Up").get_attribute("aria-describedby")
        expect(page.locator(f"[id='{reason}']")).to_contain_text("Market closed until")
        trader.picture("closed-market")

    # What is said in a corner leaves by itself, so that is looked for first.
    expect(page.get_by_role("status").get_by_text("LINK/USD is open")).to_be_visible()
    expect(trader.button("Up")).to_have_attribute("aria-disabled", "false")
    trader.page.get_by_role("button", name=re.compile(r"Notifications, \d+ unread")).click()
    sheet = page.get_by_role("dialog", name="Notifications")
    expect(sheet.get_by_role("button", name="LINK/USD is open")).to_be_visible()
    trader.picture("notifications")


def test_a_payout_that_fell_between_view_and_click_buys_nothing_and_is_shown(
    newcomer: Visitor,
) -> None:
    def keep_payouts_back(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(
            lambda text: None if '"payout.changed.v1"' in str(text) else socket.send(text)
        )

    newcomer.join()
    newcomer.page.route_web_socket(re.compile("/v1/stream"), keep_payouts_back)
    newcomer.open_trade_page()
    choose(newcomer, "DOT/USD")
    expect(newcomer.page.get_by_text("+$8.50")).to_be_visible()
    balance = newcomer.balance

    before = change_payout(newcomer.platform, "DOTUSD", 7_000)
    try:
        newcomer.button("Up").click()
        expect(newcomer.page.get_by_text("The payout fell to 70%")).to_be_visible()
        expect(newcomer.page.get_by_text("+$7.00")).to_be_visible()
        assert newcomer.balance == balance
        newcomer.picture("payout-fell")

        newcomer.button("Up").click()
        newcomer.await_balance(balance - STAKE)
    finally:
        change_payout(newcomer.platform, "DOTUSD", before)
    newcomer.forgive("status of 409")


def test_an_answer_that_is_lost_is_asked_for_again_with_the_same_id(trader: Visitor) -> None:
    page, sent, balance = trader.page, [], trader.balance
    overdue = page.get_by_text("No answer yet. Asking again")
    trader.button("1m").click()

    def lose_the_first(route: Route) -> None:
        sent.append(json.loads(route.request.post_data or ""))
        if len(sent) == 1:
            route.fetch()  # the server hears it, and buys; the page never learns of it
            expect_busy(trader)
            route.abort()
        else:
            expect(overdue).to_be_visible()
            trader.picture("unanswered")
            route.continue_()

    page.route(ORDERS, lose_the_first)
    trader.button("Up").click()

    expect(page.get_by_text("Bought after all")).to_be_visible()
    expect(overdue).to_have_count(0)
    trader.await_balance(balance - STAKE)
    expect(trader.open_orders.first).to_be_visible()
    assert len(sent) == 2
    assert sent[0] == sent[1]
    trader.forgive("ERR_FAILED")


def test_orders_whose_answer_was_lost_for_good_are_cleared_up_later(trader: Visitor) -> None:
    page, balance = trader.page, trader.balance
    trader.button("1m").click()
    with page.expect_request(ORDERS) as sent:
        trader.button("Up").click()
    trader.await_balance(balance - STAKE)
    request = json.loads(sent.value.post_data or "")
    account = sent.value.url.split("/")[-2]
    late = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    doubts = [
        {"accountId": account, "request": request},
        {"accountId": account, "request": request | {"requestId": ABSENT, "validUntil": late}},
    ]

    # What a page leaves behind that got no answer to any of its attempts, here and next time.
    page.evaluate("kept => localStorage.setItem('veritick.doubts', kept)", json.dumps(doubts))
    page.route(QUESTIONS, lambda route: route.abort())
    page.reload()
    # The events of the account tell of the first one; nobody can tell of the second.
    expect(page.get_by_text("Bought after all")).to_be_visible()
    trader.await_trade_page()
    expect(page.get_by_text("Not known yet whether this was bought")).to_have_count(1)
    trader.button("Find out").click()
    expect(page.get_by_text("Still no answer")).to_be_visible()
    trader.picture("doubt")

    page.unroute(QUESTIONS)
    trader.button("Find out").click()
    expect(page.get_by_text("It was not bought")).to_be_visible()
    expect(trader.button("Find out")).to_have_count(0)
    assert trader.balance == balance - STAKE
    trader.forgive("ERR_FAILED")


def expect_busy(visitor: Visitor) -> None:
    """While an answer is awaited nothing else can be bought."""
    expect(visitor.button("Up")).to_have_attribute("aria-disabled", "true")
    expect(visitor.button("Down")).to_have_attribute("aria-disabled", "true")


# What a page cannot bring about on a healthy platform, answered in the server's place; what it can
# is met above and in the other stories.
REFUSALS = {
    "ACCOUNT_FROZEN": "The account is frozen",
    "INSTRUMENT_HALTED": "Trading in this instrument is halted",
    "MARKET_CLOSED": "The market is closed",
    "EXPIRY_CUTOFF_PASSED": "It is too late to buy for this expiry",
    "FEED_SILENT": "The price feed is silent",
    "TICK_TOO_OLD": "The last price is too old",
    "ENTRY_PRICE_BEYOND_LIMIT": "The price moved beyond your limit",
    "VALID_UNTIL_PASSED": "The order arrived too late",
    "OPEN_ORDERS_LIMIT": "You have as many open orders as are allowed",
    "EXPOSURE_LIMIT": "No more orders in this direction",
    "INSUFFICIENT_FUNDS": "The balance is too small",
    "RATE_LIMITED": "Too many requests",
    "USER_BLOCKED": "This user may not trade",
}


def test_each_refusal_of_the_server_has_its_own_words(trader: Visitor) -> None:
    page, balance = trader.page, trader.balance
    answer: dict[str, object] = {"status": 409, "detail": "No.", "metadata": {}}
    page.route(
        ORDERS,
        lambda route: route.fulfill(
            status=409, content_type="application/problem+json", body=json.dumps(answer)
        ),
    )
    for reason, words in REFUSALS.items():
        answer["reason"] = reason
        expect(trader.button("Down")).to_have_attribute("aria-disabled", "false")
        trader.button("Down").click()
        expect(page.get_by_role("status").get_by_text(words)).to_be_visible()
    assert trader.balance == balance
    trader.forgive("status of 409")


def test_an_order_by_the_clock_shows_its_cutoff_and_expires_on_the_minute(trader: Visitor) -> None:
    page, balance = trader.page, trader.balance
    page.get_by_text("Clock time", exact=True).click()
    expect(page.get_by_text(re.compile(r"\d\d:\d\d:30 · \d+:\d\d"))).to_be_visible()
    trader.page.keyboard.press("]")

    order = trader.buy(lambda: page.keyboard.press("u"))

    expires = datetime.fromisoformat(order["expireTime"])
    assert (expires.second, expires.microsecond) == (0, 0)
    assert expires - datetime.fromisoformat(order["openTime"]) > timedelta(seconds=25)
    trader.await_balance(balance - STAKE)
    trader.picture("clock-expiry")
