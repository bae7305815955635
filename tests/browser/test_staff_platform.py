"""What staff look after beside users: the platform, its mails, who is linked, and themselves."""

import re
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Browser, StorageState, expect

from tests.browser.axe import complaints
from tests.browser.officer import Account, Officer, code_of, made_admin, on_duty, signed_in
from tests.browser.staff import await_link
from tests.browser.visitor import PASSWORD, Visitor
from tests.platform import Platform
from tests.waiting import until

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def admin(browser: Browser, terminal: Platform) -> StorageState:
    """An administrator who is signed in."""
    return signed_in(browser, terminal, made_admin(terminal))


def sign_in(visitor: Visitor, email: str) -> None:
    """Sign somebody in who has no role."""
    visitor.page.get_by_label("Email").fill(email)
    visitor.page.get_by_label("Password").fill(PASSWORD)
    visitor.button("Sign in").click()
    expect(visitor.page.get_by_text("Nothing for you here")).to_be_visible()


def looked_at(officer: Officer, name: str) -> None:
    """Have a page judged and kept as a picture, dark and light."""
    schemes: tuple[Literal["dark", "light"], ...] = ("light", "dark")
    for scheme in schemes:
        officer.page.emulate_media(color_scheme=scheme)
        officer.picture(f"{name}-{scheme}")
        assert complaints(officer.page) == [], f"{name}, {scheme}"


def test_staff_get_a_second_factor_here_and_who_shares_a_browser_is_linked(
    browser: Browser, terminal: Platform, newcomer: Visitor, admin: StorageState
) -> None:
    one, other = Account.registered(terminal), Account.registered(terminal)
    page = newcomer.page
    page.goto(f"{terminal.url}/admin/")
    sign_in(newcomer, one.email)
    newcomer.button("Sign out").click()
    sign_in(newcomer, other.email)
    page.get_by_role("link", name="Set up a second factor").click()
    newcomer.button("Set up").click()
    dialog = page.get_by_role("dialog", name="Connect an authenticator app")
    expect(dialog.get_by_role("img", name="QR code")).to_be_visible()
    assert complaints(page) == []
    newcomer.picture("staff-second-factor")
    secret = dialog.get_by_text(re.compile(r"^([A-Z2-7]{4} ?){8}$")).inner_text()
    dialog.get_by_label("Code from the app").fill(code_of(secret.replace(" ", "")))
    dialog.get_by_role("button", name="Turn on").click()
    codes = page.get_by_role("dialog", name="Recovery codes")
    expect(codes.get_by_role("listitem")).to_have_count(10)
    newcomer.picture("staff-recovery-codes")
    codes.get_by_role("button", name="I have kept it safe").click()
    expect(newcomer.button("New recovery codes")).to_be_visible()

    with on_duty(browser, terminal, admin) as officer:
        officer.page.goto(f"{terminal.url}/admin/users?address={other.email[:30]}")
        officer.row(other.email).get_by_role("link", name=other.email).click()
        officer.page.get_by_role("link", name="Devices and links").click()
        whole = officer.page.get_by_role("link", name="The whole group")

        def linked() -> bool:
            officer.page.reload()
            nobody = officer.page.get_by_text("Linked with nobody.")
            expect(whole.or_(nobody)).to_be_visible()
            return whole.is_visible()

        # What sign-ins show is looked at a moment later.
        until(linked)
        whole.click()
        group = officer.page.get_by_role("heading", level=1, name=re.compile(r"^\d+ linked users$"))
        expect(group).to_be_visible()
        # The address may link others as well, the browser only these two.
        evidence = officer.row("Device").filter(has_text=one.email)
        expect(evidence).to_contain_text(other.email)
        expect(evidence).to_contain_text("Chrome on Linux")
        looked_at(officer, "cluster")
        officer.open("Linked accounts")
        expect(officer.row("linked users").first).to_be_visible()
        looked_at(officer, "clusters")
    # That his permissions are to be read anew, the browser tells as well.
    newcomer.forgive("status of 401")


def test_staff_read_mails_that_stayed_here_and_switch_to_maintenance(
    browser: Browser, terminal: Platform, admin: StorageState
) -> None:
    trader = Account.registered(terminal)
    link = await_link(terminal, trader.email, "Confirm your mail address")
    headers = trader.log_in()
    with on_duty(browser, terminal, admin) as officer:
        page = officer.page
        officer.open("Mailbox")
        page.get_by_role("searchbox").fill(trader.email)
        page.keyboard.press("Enter")
        expect(page.get_by_role("row")).to_have_count(2)
        looked_at(officer, "mailbox")
        page.get_by_role("button", name="Confirm your mail address").click()
        mail = officer.dialog("Confirm your mail address")
        expect(mail).to_contain_text(link)
        assert mail.get_by_role("link").count() == 0
        looked_at(officer, "mail")
        page.keyboard.press("Escape")

        officer.open("Maintenance")
        expect(page.get_by_text("In operation")).to_be_visible()
        page.get_by_role("button", name="Begin maintenance").click()
        dialog = officer.dialog("Begin maintenance?")
        dialog.get_by_label("What users are told").fill("New disks")
        dialog.get_by_label("How long").select_option("2 hours")
        looked_at(officer, "begin-maintenance")
        dialog.get_by_role("button", name="Begin maintenance").click()
        expect(page.get_by_text("Under maintenance", exact=True)).to_be_visible()
        expect(officer.row("Began")).to_contain_text("New disks")
        looked_at(officer, "maintenance")
        page.get_by_role("button", name="End maintenance").click()
        officer.dialog("End maintenance?").get_by_role("button", name="End maintenance").click()
        expect(page.get_by_text("In operation")).to_be_visible()

    def taken() -> bool:
        path = "/v1/users/me/protection:setRealityCheck"
        answer = httpx.post(
            f"{terminal.url}{path}", json={"minutes": 0}, headers=headers, timeout=30
        )
        return answer.is_success

    until(taken)
