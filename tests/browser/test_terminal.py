"""The terminal by keyboard, and as its user wishes it."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.visitor import SETTLED_MS, Visitor

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]


def test_an_order_is_bought_by_keyboard_and_its_receipt_verified(trader: Visitor) -> None:
    page, keyboard = trader.page, trader.page.keyboard
    trader.button("10s").click()
    trader.tab("Closed").click()
    before, closed_before = trader.balance, trader.closed_orders.count()
    search = page.get_by_role("textbox", name="Search instruments")

    keyboard.press("/")
    expect(search).to_be_focused()
    page.wait_for_timeout(500)
    keyboard.type("ud")
    expect(search).to_have_value("ud")
    assert trader.balance == before, "what was typed into the search bought something"
    search.fill("")
    search.blur()

    keyboard.press("[")
    expect(trader.button("5s")).to_have_attribute("aria-pressed", "true")
    keyboard.press("+")
    expect(page.get_by_label("Stake", exact=True)).to_have_value("11")
    order = trader.buy(lambda: keyboard.press("u"))
    assert (order["direction"], order["stake"]["minorUnits"]) == ("UP", "1100")

    expect(trader.closed_orders).to_have_count(closed_before + 1, timeout=SETTLED_MS)
    trader.await_receipt(order)
    trader.closed_orders.first.click()
    receipt = page.get_by_role("dialog", name="Receipt")
    receipt.get_by_role("button", name="Verify").click()
    expect(receipt.get_by_text("Verified:")).to_be_visible()
    expect(receipt.get_by_role("listitem").filter(has_text="correct")).to_have_count(4)
    trader.picture("verified")


def test_a_wish_to_confirm_is_asked_for_and_can_be_withdrawn(trader: Visitor) -> None:
    page = trader.page
    trader.button("Account").click()
    page.get_by_role("menuitem", name="Settings").click()
    page.get_by_text("Confirm first", exact=True).click()
    page.keyboard.press("Escape")
    before = trader.balance

    trader.button("Up").click()
    expect(trader.button("Buy Up")).to_be_focused()
    page.keyboard.press("Escape")
    expect(trader.button("Up")).to_be_visible()
    assert trader.balance == before

    trader.button("Down").click()
    trader.button("Buy Down").click()
    trader.await_balance(before - 10)


def test_an_order_carries_the_price_that_was_seen_as_its_limit(trader: Visitor) -> None:
    page = trader.page
    trader.button("Account").click()
    page.get_by_role("menuitem", name="Settings").click()
    page.get_by_text("Not worse than shown", exact=True).click()
    page.keyboard.press("Escape")

    with page.expect_request(re.compile("/orders$")) as sent:
        trader.button("Up").click()

    limit = json.loads(sent.value.post_data or "")["entryPriceLimit"]
    assert re.fullmatch(r"[1-9]\d*", limit["mantissa"])
    assert limit["scale"] == 2
    # By then the price may have moved, which is just what the limit is for.
    refused = page.get_by_text("The price moved beyond your limit")
    expect(trader.open_orders.first.or_(refused.first)).to_be_visible()
    trader.forgive("status of 409")
