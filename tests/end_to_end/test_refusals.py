"""Every refused order: its own reason, the right HTTP status, and nothing moved."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.kit.clock import SystemClock
from services.kit.tokens import Keyring
from tests.end_to_end.traders import (
    PASSWORD,
    UNENDING,
    Credentials,
    Trader,
    newcomer,
    trading,
)
from tests.platform import BUSY, Platform
from tests.waiting import PATIENCE_SECONDS
from veritick import Veritick, VeritickError

pytestmark = [pytest.mark.platform, pytest.mark.security, pytest.mark.timeout(240)]

Body = dict[str, Any]


class Counter:
    """A trader at the counter: sends raw JSON, as a hostile client would."""

    def __init__(self, trader: Trader, http: httpx.AsyncClient) -> None:
        self.trader = trader
        self.http = http
        self.orders = f"/v1/accounts/{trader.account.account_id}/orders"

    def body(self) -> Body:
        return {
            "requestId": str(uuid4()),
            "instrument": self.trader.instrument,
            "direction": "UP",
            "stake": {"currencyCode": "USD", "minorUnits": "1000"},
            "durationSeconds": 60,
        }

    async def refused(self, content: Body | bytes, path: str = "") -> tuple[str, int]:
        """Send it; check that it was refused and moved nothing; return reason and status."""
        before = await self.trader.balance()
        body = content if isinstance(content, bytes) else json.dumps(content)
        answer = await self._posted(path or self.orders, body)
        deadline = monotonic() + PATIENCE_SECONDS
        while answer.json()["reason"] in BUSY and monotonic() < deadline:
            answer = await self._posted(path or self.orders, body)
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        assert await self.trader.balance() == before
        problem = answer.json()
        assert problem["status"] == answer.status_code
        return problem["reason"], answer.status_code

    async def _posted(self, path: str, body: bytes | str) -> httpx.Response:
        typed = {"content-type": "application/json"}
        return await self.http.post(path, content=body, headers=typed)


@pytest.fixture
async def counter(platform: Platform, trader: Trader) -> AsyncIterator[Counter]:
    session = trader.veritick.session
    assert session is not None
    bearer = {"authorization": f"Bearer {session.access_token}"}
    async with httpx.AsyncClient(
        base_url=platform.url, headers=bearer, timeout=PATIENCE_SECONDS
    ) as http:
        yield Counter(trader, http)


def stake(minor_units: object, currency_code: str = "USD") -> Callable[[Body], Body]:
    money = {"currencyCode": currency_code, "minorUnits": minor_units}
    return lambda body: {**body, "stake": money}


def having(**fields: object) -> Callable[[Body], Body]:
    return lambda body: {**body, **fields}


def without(*fields: str) -> Callable[[Body], Body]:
    return lambda body: {name: value for name, value in body.items() if name not in fields}


def expiring(time: str) -> Callable[[Body], Body]:
    return lambda body: {**without("durationSeconds")(body), "expireTime": time}


FAR = {"mantissa": "1", "scale": 0}
LONG_AGO = "2020-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("change", "reason", "status"),
    [
        (stake("99"), "STAKE_BELOW_MINIMUM", 400),
        (stake("100001"), "STAKE_ABOVE_MAXIMUM", 400),
        (stake("-1000"), "STAKE_BELOW_MINIMUM", 400),
        (stake(str(2**63 - 1)), "STAKE_ABOVE_MAXIMUM", 400),
        (stake("1000", "EUR"), "CURRENCY_MISMATCH", 400),
        (stake(str(2**63)), "INVALID_REQUEST", 400),
        (stake("ten"), "INVALID_REQUEST", 400),
        (stake(10.5), "INVALID_REQUEST", 400),
        (stake("1000", "dollars"), "INVALID_REQUEST", 400),
        (without("stake"), "INVALID_REQUEST", 400),
        (without("direction"), "INVALID_REQUEST", 400),
        (having(direction="SIDEWAYS"), "INVALID_REQUEST", 400),
        (having(requestId="once"), "INVALID_REQUEST", 400),
        (without("requestId"), "INVALID_REQUEST", 400),
        (without("durationSeconds"), "INVALID_REQUEST", 400),
        (having(colour="red"), "INVALID_REQUEST", 400),
        (having(instrument="<script>"), "INVALID_REQUEST", 400),
        (having(instrument="NOSUCHTHING"), "INSTRUMENT_NOT_FOUND", 404),
        (having(durationSeconds=4), "DURATION_OUT_OF_RANGE", 400),
        (having(durationSeconds=86_401), "DURATION_OUT_OF_RANGE", 400),
        (having(durationSeconds=-5), "DURATION_OUT_OF_RANGE", 400),
        (expiring("2099-01-01T00:00:17Z"), "EXPIRY_NOT_ON_GRID", 400),
        (having(validUntil=LONG_AGO), "VALID_UNTIL_PASSED", 409),
        (having(minPayoutBp=1_000_000), "PAYOUT_BELOW_LIMIT", 409),
        (having(entryPriceLimit=FAR), "ENTRY_PRICE_BEYOND_LIMIT", 409),
        (having(lastSeenTickNumber=str(2**62)), "LAST_SEEN_TICK_AHEAD", 409),
    ],
)
async def test_a_bad_order_has_its_own_reason(
    counter: Counter, change: Callable[[Body], Body], reason: str, status: int
) -> None:
    assert await counter.refused(change(counter.body())) == (reason, status)


@pytest.mark.parametrize(
    ("content", "reason", "status"),
    [
        (b"", "INVALID_REQUEST", 400),
        (b"{", "INVALID_REQUEST", 400),
        (b"[]", "INVALID_REQUEST", 400),
        (b"\xff\xfe", "INVALID_REQUEST", 400),
        (b'{"stake": ' + b"[" * 10_000, "INVALID_REQUEST", 400),
        (b'{"requestId": "' + b"x" * 2_000_000 + b'"}', "REQUEST_TOO_LARGE", 413),
    ],
    ids=["empty", "torn", "a list", "not text", "deep", "huge"],
)
async def test_what_is_no_order_at_all_is_refused(
    counter: Counter, content: bytes, reason: str, status: int
) -> None:
    assert await counter.refused(content) == (reason, status)


@pytest.mark.parametrize(
    "authorization",
    ["Bearer forged", "Bearer a b c", "Basic YTpi", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0."],
)
async def test_who_is_not_signed_in_places_nothing(counter: Counter, authorization: str) -> None:
    counter.http.headers["authorization"] = authorization

    assert await counter.refused(counter.body()) == ("UNAUTHENTICATED", 401)


async def test_who_shows_no_token_places_nothing(counter: Counter) -> None:
    del counter.http.headers["authorization"]

    assert await counter.refused(counter.body()) == ("UNAUTHENTICATED", 401)


async def test_a_wrong_password_tells_nothing_about_the_address(
    platform: Platform, credentials: Credentials
) -> None:
    async with httpx.AsyncClient(base_url=platform.url, timeout=PATIENCE_SECONDS) as http:
        known, unknown = [
            await http.post("/v1/sessions", json={"email": email, "password": f"not {PASSWORD}"})
            for email in (credentials.email, f"nobody-{uuid4()}@example.com")
        ]

    assert known.status_code == unknown.status_code == 401
    assert known.json()["reason"] == unknown.json()["reason"] == "INVALID_CREDENTIALS"
    assert known.json()["detail"] == unknown.json()["detail"]


@pytest.mark.parametrize("what", ["", "/orders", "/entries", "/events"])
async def test_another_mans_account_does_not_exist(
    trader: Trader, stranger: Trader, counter: Counter, what: str
) -> None:
    for account in (stranger.account.account_id, f"demo_{uuid4()}"):
        answer = await counter.http.get(f"/v1/accounts/{account}{what}")
        assert (answer.json()["reason"], answer.status_code) == ("ACCOUNT_NOT_FOUND", 404)


async def test_nobody_spends_another_mans_money(stranger: Trader, counter: Counter) -> None:
    before = await stranger.balance()
    path = f"/v1/accounts/{stranger.account.account_id}/orders"

    assert await counter.refused(counter.body(), path) == ("ACCOUNT_NOT_FOUND", 404)

    assert await stranger.balance() == before


async def test_nobody_sees_another_mans_order(trader: Trader, stranger: Trader) -> None:
    order = await stranger.buy(seconds=UNENDING)

    for account in (trader.account, stranger.account):
        with pytest.raises(VeritickError) as caught:
            await trader.veritick.order(account.account_id, order.order_id)
        assert caught.value.reason in {"ORDER_NOT_FOUND", "ACCOUNT_NOT_FOUND"}
        assert caught.value.status == 404


async def test_an_account_is_never_overdrawn(platform: Platform) -> None:
    async with trading(platform, await newcomer(platform)) as poor:
        results = await asyncio.gather(
            *(poor.buy(stake=100_000, seconds=UNENDING) for _ in range(12)),
            return_exceptions=True,
        )

        refused = [result for result in results if isinstance(result, VeritickError)]
        assert {error.reason for error in refused} == {"INSUFFICIENT_FUNDS"}
        assert {error.status for error in refused} == {409}
        assert len(results) - len(refused) == 10
        assert (await poor.balance()).available.minor_units == 0


async def test_an_order_that_was_never_settled_has_no_receipt(trader: Trader) -> None:
    order = await trader.buy(seconds=UNENDING)

    with pytest.raises(VeritickError) as caught:
        await trader.veritick.receipt(order)

    assert (caught.value.reason, caught.value.status) == ("RECEIPT_NOT_FOUND", 404)


def signed(platform: Platform, trader: Trader, audience: str, age: timedelta) -> str:
    """Return a token for a trader as identity would have signed it."""
    session = trader.veritick.session
    assert session is not None
    keyring = Keyring.load(platform.home / "keys", "identity")
    claims = {"sub": session.user_id, "sid": session.session_id, "perm": [], "aud": audience}
    return keyring.sign(claims, timedelta(minutes=15), SystemClock().now() - age)


@pytest.mark.parametrize(
    ("audience", "age", "reason"),
    [
        ("veritick", timedelta(hours=1), "TOKEN_EXPIRED"),
        ("stream", timedelta(0), "UNAUTHENTICATED"),
        ("trading", timedelta(0), "UNAUTHENTICATED"),
    ],
)
async def test_a_token_that_is_old_or_for_something_else_does_not_count(
    platform: Platform, counter: Counter, audience: str, age: timedelta, reason: str
) -> None:
    token = signed(platform, counter.trader, audience, age)
    counter.http.headers["authorization"] = f"Bearer {token}"

    assert await counter.refused(counter.body()) == (reason, 401)


async def test_a_token_made_so_would_count_if_it_were_right(
    platform: Platform, counter: Counter
) -> None:
    token = signed(platform, counter.trader, "veritick", timedelta(0))

    counter.http.headers["authorization"] = f"Bearer {token}"

    assert (await counter.http.get("/v1/accounts")).status_code == 200


async def test_a_session_that_was_ended_is_over(platform: Platform) -> None:
    who = await newcomer(platform)
    async with Veritick.connect(platform.url) as veritick:
        veritick.resume(who.session)
        await veritick.log_out()
        veritick.resume(who.session)
        who.session.expire_time.FromSeconds(0)

        with pytest.raises(VeritickError) as caught:
            await veritick.accounts()

    assert (caught.value.reason, caught.value.status) == ("SESSION_ENDED", 401)
