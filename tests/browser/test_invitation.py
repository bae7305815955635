"""Coming by somebody's link, and having one."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.visitor import PASSWORD, Visitor

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]


def test_who_comes_by_a_link_signs_up_with_its_code_and_has_one_himself(newcomer: Visitor) -> None:
    page = newcomer.page
    page.goto(f"{newcomer.platform.url}/?ref=ZZZZZ-ZZZZZ")
    # The code outlives the page that brought it.
    page.goto(f"{newcomer.platform.url}/sign-up")
    code = page.get_by_label("Referral code (optional)")
    expect(code).to_have_value("ZZZZZ-ZZZZZ")
    page.get_by_label("Email").fill(newcomer.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_text("Nobody has this referral code.")).to_be_visible()
    # The browser itself reports every answer that is not a success.
    assert newcomer.complaints.pop().endswith("400 (Bad Request)")

    code.fill("")
    page.get_by_role("button", name="Create account").click()
    newcomer.await_trade_page()
    page.goto(f"{newcomer.platform.url}/account/profile")

    expect(page.get_by_text(re.compile(r"/sign-up\?ref=[0-9A-Z]{10}$"))).to_be_visible()
