"""What staff do in their app: find people, shut them out, and decide what needs two."""

from dataclasses import dataclass
from functools import partial
from uuid import uuid4

import pikepdf
import pytest
from playwright.sync_api import Browser, Locator, StorageState, expect

from tests.browser.axe import complaints
from tests.browser.officer import Account, Officer, made_admin, on_duty, signed_in
from tests.identity_files import pdf, photo, with_letter, with_scan
from tests.platform import Platform
from tests.waiting import until

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]


@dataclass(frozen=True)
class Admins:
    """Two administrators, who can decide what the other proposes; both are signed in."""

    first: StorageState
    second: StorageState
    second_email: str


@pytest.fixture(scope="module")
def admins(browser: Browser, terminal: Platform) -> Admins:
    """Make them, the first with a second factor."""
    first, second = Account(terminal, made_admin(terminal)), made_admin(terminal)
    return Admins(
        signed_in(browser, terminal, first.email, first.enrol()),
        signed_in(browser, terminal, second),
        second,
    )


def bill(made: pikepdf.Pdf) -> None:
    """Make a PDF of a letter and of a scan, as address proofs are."""
    with_letter(made)
    with_scan(made, photo("JPEG2000"))


def torn(made: pikepdf.Pdf) -> None:
    """Make a PDF whose scan cannot be unpacked."""
    with_scan(made, b"torn")


def open_document(officer: Officer, email: str) -> None:
    """Look at what a user handed in."""
    officer.open("Documents")
    officer.row(email).get_by_role("link").first.click()
    officer.page.get_by_role("button", name="Open the document").click()


def inked(sheet: Locator) -> bool:
    """Tell whether anything has been drawn on a canvas that is not white."""
    return bool(
        sheet.evaluate(
            """sheet => {
                // Of a copy: the browser warns of who reads from one canvas again and again.
                const pen = new OffscreenCanvas(sheet.width, sheet.height).getContext("2d");
                pen.drawImage(sheet, 0, 0);
                return pen.getImageData(0, 0, sheet.width, sheet.height).data
                    .some((channel, at, all) => channel !== 255 && all[at | 3] === 255);
            }"""
        )
    )


def find(officer: Officer, email: str) -> None:
    """Look a user up, and open what is known of him."""
    officer.open("Users")
    officer.page.get_by_role("searchbox").fill(email)
    officer.page.keyboard.press("Enter")
    expect(officer.page.get_by_role("row")).to_have_count(2)
    officer.picture("users")
    officer.page.get_by_role("link", name=email).click()
    expect(officer.page.get_by_role("heading", level=1, name=email)).to_be_visible()


def listed_anew(officer: Officer, action: str) -> bool:
    """Load the trail again, and tell whether it has a record of this."""
    officer.page.reload()
    found = officer.page.get_by_role("row").first
    expect(found.or_(officer.page.get_by_text("No records."))).to_be_visible()
    return officer.page.get_by_role("button", name=action).count() > 0


def test_staff_find_a_user_look_at_what_is_his_and_ban_him(
    browser: Browser, terminal: Platform, admins: Admins
) -> None:
    trader = Account.registered(terminal)
    trader.log_in()
    with on_duty(browser, terminal, admins.first) as officer:
        page = officer.page
        find(officer, trader.email)
        officer.picture("user")
        assert complaints(page) == []
        page.get_by_role("link", name="Accounts", exact=True).click()
        expect(page.get_by_text("$10,000.00").first).to_be_visible()
        page.get_by_role("button", name="Ledger").click()
        expect(officer.row("Opening")).to_be_visible()
        officer.picture("accounts")
        page.get_by_role("link", name="Sessions").click()
        expect(officer.row("127.0.0.1")).to_be_visible()

        page.get_by_role("link", name="Devices and links").click()
        expect(page.get_by_role("heading", name="Linked users")).to_be_visible()
        expect(page.get_by_text("Loading")).to_have_count(0)
        page.get_by_role("link", name="Limits").click()
        expect(page.get_by_text("The user has set no limits.")).to_be_visible()
        page.get_by_role("link", name="Notes").click()
        page.get_by_role("textbox").fill("Called about a late withdrawal.")
        page.get_by_role("button", name="Add the note").click()
        note = page.get_by_role("list", name="Notes").get_by_role("listitem")
        expect(note).to_contain_text("Called about a late withdrawal.")
        officer.picture("notes")
        assert complaints(page) == []

        page.get_by_role("link", name="Sessions").click()
        page.get_by_role("button", name="Ban", exact=True).click()
        dialog = officer.dialog(f"Ban {trader.email}")
        dialog.get_by_label("Reason").fill("several accounts")
        officer.picture("ban")
        dialog.get_by_role("button", name="Ban").click()
        expect(page.get_by_text("Banned", exact=True)).to_be_visible()
        expect(page.get_by_text("Signed in nowhere.")).to_be_visible()
        page.get_by_role("link", name="Audit trail of this user").click()
        expect(page.get_by_role("heading", level=1, name="Audit trail")).to_be_visible()
        # A record arrives in the trail a moment after it was made.
        until(lambda: listed_anew(officer, "user.ban"))
        officer.picture("audit")
        assert complaints(page) == []
        page.get_by_role("button", name="user.ban").click()
        sheet = officer.dialog("user.ban")
        expect(sheet).to_contain_text("several accounts")
        expect(sheet.get_by_role("row", name="banned – true")).to_be_visible()
        officer.picture("record")
        assert complaints(page) == []


def test_what_one_proposes_another_approves(
    browser: Browser, terminal: Platform, admins: Admins
) -> None:
    trader = Account.registered(terminal)
    with on_duty(browser, terminal, admins.first) as officer:
        page = officer.page
        find(officer, trader.email)
        page.get_by_role("button", name="Give a role").click()
        dialog = officer.dialog(f"Give {trader.email} a role")
        dialog.get_by_label("Role").select_option("dealer")
        dialog.get_by_label("Reason").fill("joins the desk")
        officer.picture("grant")
        dialog.get_by_role("button", name="Give a role").click()
        expect(page.get_by_text("Proposed: somebody else has to approve it")).to_be_visible()
        officer.open("Approvals")
        expect(officer.row(trader.email)).to_contain_text("Yours: somebody else decides.")
        buttons = officer.row(trader.email).get_by_role("button")
        assert buttons.all_inner_texts() == ["Withdraw"]

        officer.open("Roles")
        page.get_by_role("button", name="New role").click()
        role = f"night-{uuid4().hex[:8]}"
        page.get_by_label("Name").fill(role)
        page.get_by_label("users.read").check()
        page.get_by_role("button", name="Save").click()
        dialog = officer.dialog(f"Change what {role} may do")
        expect(dialog.get_by_text("+ users.read")).to_be_visible()
        dialog.get_by_label("Reason").fill("looks at night")
        dialog.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", level=2, name=role)).to_be_visible()
        officer.picture("roles")
        assert complaints(page) == []

    with on_duty(browser, terminal, admins.second) as officer:
        officer.open("Approvals")
        row = officer.row(trader.email)
        expect(row).to_contain_text("joins the desk")
        officer.picture("approvals")
        assert complaints(officer.page) == []
        officer.page.emulate_media(color_scheme="light")
        officer.picture("approvals-light")
        assert complaints(officer.page) == []
        row.get_by_role("button", name="Approve").click()
        officer.dialog("Approve this?").get_by_role("button", name="Approve").click()
        expect(officer.page.get_by_text("Approved and done")).to_be_visible()
        expect(row).to_have_count(0)
        officer.page.get_by_label("State").select_option("Done")
        expect(officer.row(trader.email)).to_contain_text(admins.second_email)
        officer.row(trader.email).get_by_role("link", name=trader.email).click()
        expect(officer.page.get_by_text("dealer", exact=True)).to_be_visible()


def test_a_document_is_looked_at_beside_what_its_owner_told_and_approved(
    browser: Browser, terminal: Platform, admins: Admins
) -> None:
    trader = Account.registered(terminal)
    trader.hand_in("IDENTITY", photo())
    with on_duty(browser, terminal, admins.first) as officer:
        page = officer.page
        officer.open("Documents")
        expect(officer.row(trader.email)).to_contain_text("Identity")
        officer.picture("documents")
        officer.row(trader.email).get_by_role("link").first.click()
        expect(page.get_by_text("Every look at a document goes on record.")).to_be_visible()
        page.get_by_role("button", name="Open the document").click()
        picture = page.get_by_role("img", name="The document as it was handed in")
        expect(picture).to_be_visible()
        page.get_by_role("button", name="Turn").click()
        expect(page.get_by_text("In review")).to_be_visible()
        officer.picture("review")
        assert complaints(page) == []
        page.get_by_role("button", name="Approve").click()
        dialog = officer.dialog("Approve this document?")
        officer.picture("approve-document")
        dialog.get_by_role("button", name="Approve").click()
        expect(page.get_by_text("Approved", exact=True)).to_be_visible()
        expect(page.get_by_role("button", name="Approve")).to_have_count(0)


def test_a_pdf_is_looked_at_page_by_page_and_saved_without_another_read(
    browser: Browser, terminal: Platform, admins: Admins
) -> None:
    trader, other = Account.registered(terminal), Account.registered(terminal)
    trader.hand_in("ADDRESS", pdf(bill))
    other.hand_in("ADDRESS", pdf(torn))
    with on_duty(browser, terminal, admins.first) as officer:
        page = officer.page
        open_document(officer, trader.email)
        for number in (1, 2):
            sheet = page.get_by_role("img", name=f"Page {number} of 2")
            until(partial(inked, sheet))
            expect(sheet).to_have_attribute("aria-busy", "false")
        officer.picture("review-pdf")
        sheet = page.get_by_role("img", name="Page 1 of 2")
        room = sheet.evaluate("sheet => sheet.clientWidth")
        page.get_by_role("button", name="Larger").click()
        until(lambda: sheet.evaluate("sheet => sheet.width") > room and inked(sheet))
        officer.picture("review-pdf-larger")
        assert complaints(page) == []
        with page.expect_download():
            page.get_by_role("button", name="Save the file").click()
        reads = [url for url in officer.visitor.requests if url.endswith(":read")]
        assert len(reads) == 1

        open_document(officer, other.email)
        expect(page.get_by_role("alert")).to_contain_text("This PDF cannot be shown here.")
        expect(page.get_by_role("button", name="Save the file")).to_be_enabled()
        assert complaints(page) == []
