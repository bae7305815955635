"""What staff do in their app: find people, shut them out, and decide what needs two."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.axe import complaints
from tests.browser.officer import Account, Officer, made_admin, on_duty
from tests.platform import Platform

pytestmark = [pytest.mark.platform, pytest.mark.timeout(240)]


def find(officer: Officer, email: str) -> None:
    """Look a user up, and open what is known of him."""
    officer.open("Users")
    officer.page.get_by_role("searchbox").fill(email)
    officer.page.keyboard.press("Enter")
    expect(officer.page.get_by_role("row")).to_have_count(2)
    officer.picture("users")
    officer.page.get_by_role("link", name=email).click()
    expect(officer.page.get_by_role("heading", level=1, name=email)).to_be_visible()


def test_staff_sign_in_with_a_second_factor_and_ban_whom_they_find(
    browser: Browser, terminal: Platform
) -> None:
    admin, trader = Account(terminal, made_admin(terminal)), Account.registered(terminal)
    trader.log_in()
    with on_duty(browser, terminal, admin.email, admin.enrol()) as officer:
        page = officer.page
        find(officer, trader.email)
        officer.picture("user")
        assert complaints(page) == []
        page.get_by_role("link", name="Accounts").click()
        expect(page.get_by_text("$10,000.00").first).to_be_visible()
        page.get_by_role("button", name="Ledger").click()
        expect(officer.row("Opening")).to_be_visible()
        officer.picture("accounts")
        page.get_by_role("link", name="Sessions").click()
        expect(officer.row("127.0.0.1")).to_be_visible()

        page.get_by_role("button", name="Ban", exact=True).click()
        dialog = officer.dialog(f"Ban {trader.email}")
        dialog.get_by_label("Reason").fill("several accounts")
        officer.picture("ban")
        dialog.get_by_role("button", name="Ban").click()
        expect(page.get_by_text("Banned", exact=True)).to_be_visible()
        expect(page.get_by_text("Signed in nowhere.")).to_be_visible()
        officer.visitor.complaints[:] = [
            said for said in officer.visitor.complaints if "status of 401" not in said
        ]
