"""The pages by which users look after themselves."""

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pyotp
import pytest
from PIL import Image
from playwright.sync_api import APIRequestContext, FilePayload, Route, expect

from services.kit.clock import SystemClock
from services.local.databases import Passwords
from services.local.home import Home
from services.local.postgres import SUPERUSER, Cluster, embedded_binaries
from tests.browser.visitor import PASSWORD, Visitor

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]

NEW = "quite another passphrase"
PART_BYTES = 512 * 1024


def go(visitor: Visitor, page: str) -> None:
    """Choose a page from the user's menu."""
    visitor.button("Account").click()
    visitor.page.get_by_role("menuitem", name=page).click()
    expect(visitor.page.get_by_role("navigation", name="Account")).to_be_visible()


@contextmanager
def elsewhere(visitor: Visitor) -> Iterator[APIRequestContext]:
    """Call from somewhere that has none of the browser's cookies."""
    browser = visitor.page.context.browser
    assert browser is not None
    context = browser.new_context()
    yield context.request
    context.close()


def tell_about_oneself(visitor: Visitor) -> None:
    page = visitor.page
    go(visitor, "Profile")
    page.get_by_label("Country of residence").select_option(label="Spain")
    expect(page.get_by_text("not offered in this country")).to_be_visible()
    page.get_by_role("spinbutton", name="Birth date: month").press_sequentially("03051988")
    visitor.picture("profile-form")
    visitor.button("Save").click()
    expect(page.get_by_text("March 5, 1988")).to_be_visible()
    expect(page.get_by_role("definition").get_by_text("Spain")).to_be_visible()
    visitor.button("Accept the agreement").click()
    expect(page.get_by_role("status").get_by_text("User agreement accepted")).to_be_visible()
    expect(visitor.button("Accept the agreement")).to_have_count(0)
    visitor.picture("profile-told")


def end_other_sessions(visitor: Visitor) -> None:
    page = visitor.page
    credentials = {"email": visitor.email, "password": PASSWORD, "deviceName": "A phone"}
    with elsewhere(visitor) as program:
        assert program.post(f"{visitor.platform.url}/v1/sessions", data=credentials).ok
    page.get_by_role("link", name="Security").click()
    # Not in the corner, where such a sign-in is told of as well.
    phone = page.get_by_role("main").get_by_text("A phone")
    expect(phone).to_be_visible()
    visitor.picture("sessions")
    visitor.button("End all others").click()
    expect(phone).to_have_count(0)
    expect(page.get_by_text("This device")).to_have_count(1)


def change_the_password(visitor: Visitor) -> None:
    page = visitor.page
    page.get_by_label("Current password").fill("not the password")
    page.get_by_label("New password").fill(NEW)
    visitor.button("Change the password").click()
    expect(page.get_by_text("This is not your password.")).to_be_visible()
    page.get_by_label("Current password").fill(PASSWORD)
    visitor.button("Change the password").click()
    expect(page.get_by_role("status").get_by_text("Your password is changed")).to_be_visible()


def turn_the_second_factor_on(visitor: Visitor) -> None:
    """As somebody whose last proof of who he is lies some time back."""
    page = visitor.page
    long_ago = {"reason": "CONFIRMATION_REQUIRED", "detail": "Prove it.", "metadata": {}}
    page.route(
        re.compile("/users/me/totp$"),
        lambda route: route.fulfill(
            status=401, content_type="application/problem+json", body=json.dumps(long_ago)
        ),
        times=1,
    )
    visitor.button("Set up").click()
    asked = page.get_by_role("dialog", name="Is it you?")
    asked.get_by_label("Password").fill(NEW)
    visitor.picture("step-up")
    asked.get_by_role("button", name="Go on").click()

    dialog = page.get_by_role("dialog", name="Connect an authenticator app")
    expect(dialog.get_by_role("img", name="QR code")).to_be_visible()
    visitor.picture("totp")
    shown = dialog.get_by_text(re.compile("^[A-Z2-7]{4}( [A-Z2-7]{4}){7}$")).inner_text()
    code = pyotp.TOTP(shown.replace(" ", "")).at(SystemClock().now())
    dialog.get_by_label("Code from the app").fill(code)
    dialog.get_by_role("button", name="Turn on").click()

    codes = page.get_by_role("dialog", name="Recovery codes")
    expect(codes.get_by_role("listitem")).to_have_count(10)
    visitor.picture("recovery-codes")
    visitor.button("I have kept it safe").click()
    expect(visitor.button("New recovery codes")).to_be_visible()


def make_and_revoke_a_key(visitor: Visitor) -> None:
    page = visitor.page
    visitor.button("Create a key").click()
    dialog = page.get_by_role("dialog", name="Create a key")
    dialog.get_by_label("Name").fill("Bot")
    dialog.get_by_label("Only from these addresses").fill("here")
    visitor.picture("key-form")
    dialog.get_by_role("button", name="Create a key").click()
    expect(dialog.get_by_text("One of these is no address or network.")).to_be_visible()
    dialog.get_by_label("Only from these addresses").fill("127.0.0.0/8, ::1")
    dialog.get_by_role("button", name="Create a key").click()

    made = page.get_by_role("dialog", name="Key “Bot”")
    secret = made.get_by_text(re.compile("^vtk_")).inner_text()
    visitor.picture("key")
    visitor.button("I have kept it safe").click()
    headers = {"Authorization": f"Bearer {secret}"}
    with elsewhere(visitor) as program:
        assert program.get(f"{visitor.platform.url}/v1/accounts", headers=headers).ok
    visitor.button("Revoke Bot").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("No keys yet.")).to_be_visible()


def be_told_how_long_it_has_been(visitor: Visitor) -> None:
    """As somebody who came a while ago."""
    page = visitor.page
    page.get_by_label("How often").select_option("15")
    expect(page.get_by_role("status").get_by_text("Saved")).to_be_visible()
    home = Home(visitor.platform.home)
    password = Passwords(home.passwords).of(SUPERUSER)
    cluster = Cluster(home.postgres, home.sockets, password, embedded_binaries())
    with psycopg.connect(cluster.url("identity"), autocommit=True) as database:
        database.execute("UPDATE sitting SET since = now() - interval '16.5 minutes'")
    told = page.get_by_role("dialog", name=re.compile("You have been here for 1[67]m"))
    expect(told.get_by_text("$0.00").first).to_be_visible(timeout=60_000)
    visitor.picture("reality-check")
    told.get_by_role("button", name="Go on").click()
    page.get_by_label("How often").select_option("0")


def limit_losses(visitor: Visitor) -> None:
    page = visitor.page
    losses = page.get_by_role("region", name="Losses")

    def set_to(amount: str) -> None:
        losses.get_by_role("button", name=re.compile("(Set|Change): Per day")).click()
        page.get_by_role("dialog").get_by_label("USD").fill(amount)
        page.get_by_role("dialog").get_by_role("button", name="Set", exact=True).click()
        expect(page.get_by_role("dialog")).to_have_count(0)

    set_to("100")
    expect(losses.get_by_text("$100.00")).to_be_visible()
    set_to("250")
    expect(losses.get_by_text(re.compile(r"\$250\.00 from"))).to_be_visible()
    expect(losses.get_by_text("$0.00 used")).to_be_visible()
    visitor.picture("limits")
    losses.get_by_role("button", name="Call it off").click()
    expect(losses.get_by_text(re.compile(r"\$250\.00 from"))).to_have_count(0)


def take_a_break(visitor: Visitor) -> None:
    page = visitor.page
    visitor.button("Exclude myself").click()
    asked = page.get_by_role("dialog", name="Exclude yourself for 6 months?")
    expect(asked.get_by_role("button", name="Exclude myself")).to_be_disabled()
    asked.get_by_label("Type “exclude me” to go on").fill("Exclude me")
    expect(asked.get_by_role("button", name="Exclude myself")).to_be_enabled()
    visitor.picture("exclusion")
    asked.get_by_role("button", name="Cancel").click()

    visitor.button("Take a break").click()
    page.get_by_role("dialog").get_by_role("button", name="Take a break").click()
    expect(page.get_by_role("region", name="Take a break").get_by_text("Until")).to_be_visible()
    page.get_by_role("link", name="Trade", exact=True).click()
    expect(page.get_by_text("Your break lasts until")).to_be_visible()
    expect(visitor.button("Up")).to_have_attribute("aria-disabled", "true")
    visitor.picture("break")


def test_a_user_protects_himself(newcomer: Visitor) -> None:
    newcomer.join()
    newcomer.open_trade_page()
    go(newcomer, "Protection")
    be_told_how_long_it_has_been(newcomer)
    limit_losses(newcomer)
    take_a_break(newcomer)


def test_a_user_sees_to_who_he_is_and_to_who_gets_in(newcomer: Visitor) -> None:
    newcomer.join()
    newcomer.open_trade_page()
    tell_about_oneself(newcomer)
    end_other_sessions(newcomer)
    change_the_password(newcomer)
    turn_the_second_factor_on(newcomer)
    make_and_revoke_a_key(newcomer)
    # The browser reports the answers that are refusals: the wrong ones above.
    refused = re.compile(r"40[01] \((Bad Request|Unauthorized)\)")
    assert [said for said in newcomer.complaints if not refused.search(said)] == []
    newcomer.complaints.clear()


def noise(name: str) -> FilePayload:
    """Return a picture that no compression makes smaller than two parts of an upload."""
    picture = Image.effect_noise((900, 900), 200)
    written = io.BytesIO()
    picture.save(written, "PNG")
    assert len(written.getvalue()) > PART_BYTES
    return {"name": name, "mimeType": "image/png", "buffer": written.getvalue()}


def test_a_document_is_handed_in_although_a_part_is_lost(trader: Visitor) -> None:
    page = trader.page
    offsets: list[str] = []

    def lose_the_second_once(route: Route) -> None:
        offsets.append(route.request.url.partition("offset=")[2] or "0")
        if len(offsets) == 2:
            route.abort()
        else:
            route.continue_()

    page.route(re.compile("/content"), lose_the_second_once)
    go(trader, "Verification")
    chosen = page.get_by_label(re.compile("Choose a file")).first
    chosen.set_input_files({"name": "essay.txt", "mimeType": "text/plain", "buffer": b"Me."})
    expect(page.get_by_text("Only JPEG, PNG and PDF are opened.")).to_be_visible()
    trader.picture("document-refused")

    chosen.set_input_files(noise("passport.png"))
    expect(page.get_by_text("Waits for review").first).to_be_visible()
    trader.picture("document-waits")
    assert offsets[:3] == ["0", str(PART_BYTES), str(PART_BYTES)]
    trader.forgive("ERR_FAILED")
