"""Signing in and out, and what is said when it does not work."""

import re

import pytest
from playwright.sync_api import Route, expect

from tests.browser.visitor import Visitor

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]


def test_a_wrong_password_is_refused_in_words(newcomer: Visitor) -> None:
    page = newcomer.page
    page.goto(f"{newcomer.platform.url}/sign-in")
    page.get_by_label("Email").fill(newcomer.email)
    page.get_by_label("Password").fill("not the password")

    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("alert")).to_have_text("Email and password do not belong together.")
    # The browser itself reports every answer that is not a success.
    assert newcomer.complaints.pop().endswith("401 (Unauthorized)")


def test_who_signs_out_is_out(newcomer: Visitor) -> None:
    newcomer.sign_up()
    page = newcomer.page
    page.get_by_role("button", name="Account").click()
    with page.expect_response("**/v1/sessions/current"):
        page.get_by_role("menuitem", name="Sign out").click()

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    profile = page.context.request.get(f"{newcomer.platform.url}/v1/users/me")
    assert profile.status == 401
    page.goto(newcomer.platform.url)
    expect(page).to_have_url(re.compile("/sign-in$"))


def test_who_signs_out_asks_for_nothing_more(newcomer: Visitor) -> None:
    """Answers that are slow to come must not leave time to ask in the name of an ended session."""
    newcomer.join()
    newcomer.open_trade_page()
    page = newcomer.page

    def end_slowly(route: Route) -> None:
        answer = route.fetch()
        page.wait_for_timeout(2_000)
        route.fulfill(response=answer)

    page.route("**/v1/sessions/current", end_slowly)
    page.get_by_role("button", name="Account").click()
    with page.expect_response("**/v1/sessions/current") as ended:
        page.get_by_role("menuitem", name="Sign out").click()

    assert ended.value.ok
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert newcomer.complaints == []


def test_a_session_outlives_its_access_token(newcomer: Visitor) -> None:
    newcomer.join()
    newcomer.open_trade_page()

    newcomer.page.context.clear_cookies(name="veritick_access")
    newcomer.page.reload()

    newcomer.await_trade_page()
    # Whatever was asked without the token was refused, and made the page refresh.
    assert newcomer.complaints, "nothing was refused"
    newcomer.forgive("status of 401")


def test_a_session_ended_elsewhere_leads_back_to_signing_in(newcomer: Visitor) -> None:
    newcomer.join()
    newcomer.open_trade_page()
    page = newcomer.page

    status = page.evaluate(
        """async () => (await fetch("/v1/sessions/current", {
            method: "DELETE", headers: {"Veritick-Session": "cookie"}
        })).status"""
    )

    assert status == 200
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_text("Your session has ended. Please sign in again.")
    newcomer.complaints.clear()
