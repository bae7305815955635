"""What letters lead to, and signing in with a second factor."""

import re
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from playwright.sync_api import Page, expect

from services.kit.clock import SystemClock
from tests.browser.staff import await_link
from tests.browser.visitor import PASSWORD, Visitor

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]

CONFIRM, RESET = "Confirm your mail address", "Choose a new password"
NEW = "quite another passphrase"


def call(page: Page, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
    """Post to the platform as the page's user."""
    answer: dict[str, Any] = page.evaluate(
        """async ([path, body]) => (await fetch(path, {
            method: "POST",
            headers: {"Veritick-Session": "cookie", "Content-Type": "application/json"},
            body: JSON.stringify(body),
        })).json()""",
        [path, body or {}],
    )
    return answer


def sign_out(visitor: Visitor) -> None:
    visitor.button("Account").click()
    visitor.page.get_by_role("menuitem", name="Sign out").click()
    expect(visitor.page.get_by_role("heading", name="Sign in")).to_be_visible()


def sign_in(visitor: Visitor, password: str) -> None:
    visitor.page.get_by_label("Email").fill(visitor.email)
    visitor.page.get_by_label("Password").fill(password)
    visitor.button("Sign in").click()


def test_a_forgotten_password_is_replaced_by_a_letter(newcomer: Visitor) -> None:
    newcomer.join()
    newcomer.open_trade_page()
    sign_out(newcomer)
    page = newcomer.page
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("Email").fill(newcomer.email)
    newcomer.picture("forgot-password")
    newcomer.button("Send me a link").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    newcomer.picture("forgot-password-sent")

    link = await_link(newcomer.platform, newcomer.email, RESET)
    assert link.startswith(f"{newcomer.platform.url}/reset-password#")
    page.goto(link)
    page.get_by_label("New password").fill("password123")
    newcomer.button("Change the password").click()
    expect(page.get_by_text("Choose a longer or less common password.")).to_be_visible()
    newcomer.picture("reset-password")
    page.get_by_label("New password").fill(NEW)
    newcomer.button("Change the password").click()
    expect(page.get_by_text("Your password is changed.")).to_be_visible()

    sign_in(newcomer, NEW)
    newcomer.await_trade_page()
    page.goto(link)
    page.get_by_label("New password").fill("yet another passphrase")
    newcomer.button("Change the password").click()
    expect(page.get_by_role("alert")).to_have_text(re.compile("used already"))
    newcomer.button("Ask for a new link").click()
    expect(page).to_have_url(re.compile("/forgot-password$"))
    assert all("400 (Bad Request)" in complaint for complaint in newcomer.complaints)
    newcomer.complaints.clear()


def test_who_has_no_account_is_told_the_same(newcomer: Visitor) -> None:
    page = newcomer.page
    page.goto(f"{newcomer.platform.url}/forgot-password")
    page.get_by_label("Email").fill(newcomer.email)
    newcomer.button("Send me a link").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()


def test_an_address_is_confirmed_by_a_press_and_a_used_link_replaced(newcomer: Visitor) -> None:
    newcomer.join()
    newcomer.open_trade_page()
    page = newcomer.page
    link = await_link(newcomer.platform, newcomer.email, CONFIRM)
    page.goto(link)
    newcomer.picture("confirm-email")
    newcomer.button("Confirm my address").click()
    expect(page.get_by_role("heading", name="Your address is confirmed")).to_be_visible()
    newcomer.picture("confirm-email-done")

    page.reload()
    newcomer.button("Confirm my address").click()
    expect(page.get_by_role("alert")).to_have_text(re.compile("used already"))
    newcomer.button("Send me another link").click()
    expect(page.get_by_text("Another letter is on its way.")).to_be_visible()
    newcomer.button("Go on to trading").click()
    newcomer.await_trade_page()
    assert newcomer.complaints.pop().endswith("400 (Bad Request)")


def test_a_second_factor_is_asked_for_and_a_recovery_code_serves(newcomer: Visitor) -> None:
    newcomer.join()
    newcomer.open_trade_page()
    page = newcomer.page
    app = pyotp.TOTP(call(page, "/v1/users/me/totp")["secret"])
    now = SystemClock().now()
    body = {"code": app.at(now)}
    recovery: str = call(page, "/v1/users/me/totp:confirm", body)["recoveryCodes"][0]
    sign_out(newcomer)

    sign_in(newcomer, PASSWORD)
    code = page.get_by_label("Code from your authenticator app")
    expect(code).to_be_focused()
    newcomer.picture("second-factor")
    # Each code works once: the one that confirmed the app is refused, the one after it is not.
    code.fill(app.at(now))
    newcomer.button("Sign in").click()
    expect(page.get_by_text("This code is wrong, or was used before.")).to_be_visible()
    code.fill(app.at(SystemClock().now() + timedelta(seconds=app.interval)))
    newcomer.button("Sign in").click()
    newcomer.await_trade_page()

    sign_out(newcomer)
    sign_in(newcomer, PASSWORD)
    newcomer.button("Use a recovery code instead").click()
    page.get_by_label("Recovery code").fill(recovery)
    newcomer.picture("recovery-code")
    newcomer.button("Sign in").click()
    newcomer.await_trade_page()
    assert all("401 (Unauthorized)" in complaint for complaint in newcomer.complaints)
    newcomer.complaints.clear()
