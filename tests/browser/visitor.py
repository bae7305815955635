"""What a person does and sees in the terminal."""

import os
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Response,
    StorageState,
    ViewportSize,
    expect,
)

from tests.platform import Platform
from tests.waiting import until

DESKTOP: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 740}
SCREENS = os.environ.get("VERITICK_SCREENS")
"""Where pictures are kept for a person to look at; by default nobody wishes for any."""

PASSWORD = "a long walk by the sea"
SETTLED_MS = 60_000
ORDERS = re.compile("/orders$")
# Why an order may be refused where the machine is busy; its trader tries again.
LATE = {"FEED_SILENT", "TICK_TOO_OLD", "VALID_UNTIL_PASSED"}
TRIES = 5
# What a page remembers of a session whose cookies it cannot see; said once, for it may forget.
_REMEMBER = """
    if (!sessionStorage.getItem("joined")) {
        sessionStorage.setItem("joined", "yes");
        for (const mark of ["signedIn", "known"]) localStorage.setItem(`veritick.${mark}`, "yes");
    }
"""


@dataclass
class Visitor:
    """A person at a browser; `complaints` is what the browser had to say against the page."""

    page: Page
    platform: Platform
    email: str = field(default_factory=lambda: f"{uuid.uuid4()}@example.com")
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Begin to take note of errors and of everything that is asked of anybody."""
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._on_request)
        self.page.on("websocket", lambda socket: self.requests.append(socket.url))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _on_request(self, request: Request) -> None:
        self.requests.append(request.url)

    @property
    def strangers(self) -> list[str]:
        """The requests that went to anybody but the platform."""
        own = (
            f"{self.platform.url}/",
            f"ws://{self.platform.ports.address('stream')}/",
            "data:",
            "blob:",
        )
        return [url for url in self.requests if not url.startswith(own)]

    def sign_up(self, *, tour: bool = False) -> None:
        """Register, and land on the trade page; with or without being shown around."""
        self.page.goto(self.platform.url)
        self.page.get_by_label("Email").fill(self.email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Create account").click()
        self.await_trade_page()
        if not tour:
            self.button("Skip the tour").click()

    def join(self) -> None:
        """Register and sign in as the pages do, but past them."""
        who = {"email": self.email, "password": PASSWORD}
        headers = {"Origin": self.platform.url, "Veritick-Session": "cookie"}
        for path in ("/v1/users", "/v1/sessions"):
            url = f"{self.platform.url}{path}"
            answer = self.page.context.request.post(url, data=who, headers=headers)
            assert answer.ok, answer.text()
        self.page.add_init_script(_REMEMBER)

    def open_trade_page(self) -> None:
        """Come back with a session."""
        self.page.goto(self.platform.url)
        self.await_trade_page()

    def await_trade_page(self) -> None:
        """Wait until there is a chart and something can be bought."""
        expect(self.chart.locator("canvas").first).to_be_visible()
        expect(self.button("Up")).to_be_enabled()

    @property
    def chart(self) -> Locator:
        """The chart with its header."""
        return self.page.get_by_role("region", name=re.compile("Price chart"))

    @property
    def price(self) -> str:
        """The last price, as shown."""
        return self.chart.locator("output").inner_text()

    @property
    def balance(self) -> Decimal:
        """The available balance, as shown."""
        text = self.page.get_by_label("Balance").locator("output").inner_text()
        return Decimal(re.sub(r"[$,]", "", text))

    @property
    def positions(self) -> Locator:
        """The panel of open and closed orders."""
        return self.page.get_by_role("region", name="Positions")

    @property
    def open_orders(self) -> Locator:
        """The open orders that are listed."""
        return self.positions.get_by_role("timer")

    @property
    def closed_orders(self) -> Locator:
        """The closed orders that are listed."""
        return self.positions.get_by_role("button", name=re.compile("Show the receipt"))

    def button(self, name: str) -> Locator:
        """A button by its exact name."""
        return self.page.get_by_role("button", name=name, exact=True)

    def tab(self, name: str) -> Locator:
        """The tab of open or of closed orders."""
        return self.positions.get_by_role("tab", name=name)

    def await_balance(self, amount: Decimal) -> None:
        """Wait until the balance is shown to be this."""
        shown = self.page.get_by_label("Balance").locator("output")
        expect(shown).to_have_text(f"${amount:,.2f}")

    def await_settled(self) -> Decimal:
        """Wait, past the page, until no order is open; return the available balance.

        AssertionError when that takes too long.
        """
        ask, url = self.page.context.request, f"{self.platform.url}/v1/accounts"
        account_id = ask.get(url).json()["accounts"][0]["accountId"]
        for _ in range(SETTLED_MS // 250):
            answer = ask.get(f"{url}/{account_id}/orders", params={"filter": "state=OPEN"})
            if answer.json()["orders"] == []:
                account = ask.get(f"{url}/{account_id}").json()
                return Decimal(account["available"]["minorUnits"]) / 100
            self.page.wait_for_timeout(250)
        raise AssertionError("the order was never settled")

    def buy(self, press: Callable[[], None]) -> dict[str, Any]:
        """Buy by what `press` does, and return the order, which may be short: time goes on.

        Again where anything came too late, which is no fault of the page.
        """
        for _ in range(TRIES):
            expect(self.button("Up")).to_have_attribute("aria-disabled", "false")
            with self.page.expect_response(_is_final) as answered:
                press()
            answer: dict[str, Any] = answered.value.json()
            if answered.value.ok:
                self.forgive("status of 503", "status of 504")
                return answer
            assert answer["reason"] in LATE, answer
            self.forgive("status of 409")
        raise AssertionError("every price came too late to buy on")

    def forgive(self, *told: str) -> None:
        """Drop the complaints with one of these words, which were to be expected."""
        self.complaints[:] = [
            said for said in self.complaints if not any(words in said for words in told)
        ]

    def await_receipt(self, order: dict[str, Any]) -> None:
        """Wait, past the page, until an order has its receipt, which follows its close."""
        ask, url = self.page.context.request, f"{self.platform.url}/v1/orders/{order['orderId']}"
        until(lambda: ask.get(f"{url}/receipt").ok)

    def picture(self, name: str) -> None:
        """Save what is seen, if pictures are wished for."""
        if SCREENS:
            self.page.screenshot(path=Path(SCREENS) / f"{name}.png")


def _is_final(response: Response) -> bool:
    """Tell whether this answers an order: of what is busy the page asks again by itself."""
    return ORDERS.search(response.url) is not None and response.status < 500


@contextmanager
def visiting(
    browser: Browser,
    platform: Platform,
    viewport: ViewportSize = DESKTOP,
    storage: StorageState | None = None,
) -> Iterator[Visitor]:
    """Open a window; at its end the browser must have had nothing to complain about."""
    context = browser.new_context(viewport=viewport, storage_state=storage, color_scheme="dark")
    visitor = Visitor(context.new_page(), platform)
    visitor.watch()
    try:
        yield visitor
        assert visitor.complaints == []
        assert visitor.strangers == []
    finally:
        context.close()
