"""A member of staff at the app for staff."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pyotp
from playwright.sync_api import Browser, Locator, Page, StorageState, ViewportSize, expect

from services.kit.clock import SystemClock
from tests.browser.visitor import DESKTOP, PASSWORD, Visitor, visiting
from tests.platform import Platform
from tests.waiting import PATIENCE_SECONDS, until

TABLET: ViewportSize = {"width": 768, "height": 900}
STEP = timedelta(seconds=30)


def made_admin(platform: Platform) -> str:
    """Make an administrator as whoever holds the machine does, and return the mail address."""
    email = f"{uuid.uuid4()}@example.com"
    told = {"VERITICK_HOME": str(platform.home), "VERITICK_PORT": str(platform.ports.of("rest"))}
    subprocess.run(
        [sys.executable, "-m", "services", "--create-admin", email],
        env={**os.environ, **told},
        input=f"{PASSWORD}\n",
        text=True,
        check=True,
        capture_output=True,
    )
    return email


@dataclass
class Account:
    """Somebody who calls the platform by himself, from no page."""

    platform: Platform
    email: str

    @classmethod
    def registered(cls, platform: Platform) -> Account:
        """Register somebody new."""
        account = cls(platform, f"{uuid.uuid4()}@example.com")
        account._post("/v1/users", {"email": account.email, "password": PASSWORD})
        return account

    def log_in(self) -> dict[str, str]:
        """Sign in, and return the headers of calls."""
        session = self._post("/v1/sessions", {"email": self.email, "password": PASSWORD})
        return {"authorization": f"Bearer {session['accessToken']}"}

    def enrol(self) -> str:
        """Get a second factor, with a code of the step that passes; return its secret."""
        headers = self.log_in()
        secret: str = self._post("/v1/users/me/totp", {}, headers)["secret"]
        self._post("/v1/users/me/totp:confirm", {"code": code_of(secret)}, headers)
        return secret

    def hand_in(self, kind: str, content: bytes) -> None:
        """Hand in a document, whole."""
        headers = self.log_in()
        path = "/v1/kycDocuments"
        begun = self._post(path, {"kind": kind, "size": len(content)}, headers)
        path += f"/{begun['documentId']}"
        raw = headers | {"content-type": "application/octet-stream"}
        sent = httpx.put(
            f"{self.platform.url}{path}/content",
            content=content,
            headers=raw,
            timeout=PATIENCE_SECONDS,
        )
        sent.raise_for_status()
        self._post(f"{path}:complete", {}, headers)

    def _post(
        self, path: str, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        answer = httpx.post(
            f"{self.platform.url}{path}", json=body, headers=headers, timeout=PATIENCE_SECONDS
        )
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


def code_of(secret: str, *, later: timedelta = timedelta()) -> str:
    """Return the code of a second factor, of now or of a step that comes."""
    return pyotp.TOTP(secret).at(SystemClock().now() + later)


@dataclass
class Officer:
    """A member of staff who is signed in."""

    visitor: Visitor

    @property
    def page(self) -> Page:
        """The page he looks at."""
        return self.visitor.page

    def open(self, name: str) -> None:
        """Go to a part of the app."""
        self.page.get_by_role("navigation", name="Main").get_by_role("link", name=name).click()
        expect(self.page.get_by_role("heading", level=1, name=name)).to_be_visible()

    def row(self, text: str) -> Locator:
        """The row of a table that tells of something."""
        return self.page.get_by_role("row").filter(has_text=text)

    def dialog(self, name: str) -> Locator:
        """The question that is asked."""
        return self.page.get_by_role("dialog", name=name)

    def picture(self, name: str) -> None:
        """Save what is seen, as wide as a desk and as a tablet."""
        for viewport in (TABLET, DESKTOP):
            self.page.set_viewport_size(viewport)
            until(partial(self._fits, viewport["width"]))
            self.visitor.picture(f"staff-{name}-{viewport['width']}")

    def _fits(self, width: int) -> bool:
        """Tell whether nothing sticks out of the page, which takes a moment to become so wide."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth") == width)


def signed_in(browser: Browser, platform: Platform, email: str, secret: str = "") -> StorageState:
    """Sign a member of staff in, with the code of who has a second factor; return the cookies."""
    with visiting(browser, platform) as visitor:
        page = visitor.page
        page.goto(f"{platform.url}/admin/")
        page.get_by_label("Email").fill(email)
        page.get_by_label("Password").fill(PASSWORD)
        visitor.button("Sign in").click()
        if secret:
            # The code of the step that passes was used to get the second factor.
            page.get_by_label("Code").fill(code_of(secret, later=STEP))
            visitor.picture("staff-sign-in")
            visitor.button("Sign in").click()
        expect(page.get_by_role("navigation", name="Main")).to_be_visible()
        # That a code was asked for, the browser tells as well.
        visitor.forgive("status of 401")
        return page.context.storage_state()


@contextmanager
def on_duty(browser: Browser, platform: Platform, cookies: StorageState) -> Iterator[Officer]:
    """Lend the app to a member of staff who is signed in."""
    with visiting(browser, platform, DESKTOP, cookies) as visitor:
        # What fades in or out has no contrast that could be judged.
        visitor.page.emulate_media(reduced_motion="reduce")
        visitor.page.goto(f"{platform.url}/admin/")
        expect(visitor.page.get_by_role("navigation", name="Main")).to_be_visible()
        yield Officer(visitor)
