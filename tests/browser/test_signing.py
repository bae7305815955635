"""Signing in and out, and what is said when it does not work."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.visitor import Visitor

pytestmark = [pytest.mark.platform, pytest.mark.timeout(120)]


def test_a_wrong_password_is_refused_in_words(newcomer: Visitor) -> None:
    page = newcomer.page
    page.goto(f"{newcomer.platform.url}/sign-in")
    page.get_by_label("Email").fill(newcomer.email)
    page.get_by_label("Password").fill("not the password")

    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("alert")).to_have_text("Email and password do not belong together.")
    # The browser itself reports every answer that is not a success.
    assert newcomer.complaints.pop().endswith("401 (Unauthorized)")


def test_who_signs_out_is_out_in_every_tab_that_loads_again(trader: Visitor) -> None:
    page = trader.page
    page.get_by_role("button", name="Account").click()
    page.get_by_role("menuitem", name="Sign out").click()

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto(trader.platform.url)
    expect(page).to_have_url(re.compile("/sign-in$"))
