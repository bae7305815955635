"""Users of a platform that runs: each with a demo account and a token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from services.kit.channels import Channels
from services.kit.clock import SystemClock
from services.kit.tokens import Keyring
from services.local.home import Home
from tests.platform import Platform
from veritick.trading.v1.account_service_pb2 import OpenAccountsRequest
from veritick.trading.v1.account_service_pb2_grpc import AccountServiceStub

UNLIMITED = {
    "VERITICK_BOOKS__DEMO__OPEN_ORDERS_MAX": "1000000",
    "VERITICK_BOOKS__DEMO__EXPOSURE_MAX_MINOR_UNITS": str(10**15),
    "VERITICK_ALLOWANCES__TRADE__PER_SECOND": "1000000",
    "VERITICK_ALLOWANCES__TRADE__BURST": "1000000",
}
"""What a platform is told that is to be loaded: all limits lie beyond what it can do."""


@dataclass(frozen=True)
class Trader:
    """Somebody who may place orders."""

    user_id: str
    account_id: str
    token: str
    platform: Platform

    def ticket(self) -> str:
        """Return what opens a socket as this user."""
        claims = {"sub": self.user_id, "aud": "stream", "sid": str(uuid4()), "ver": 1}
        claims |= {"jti": str(uuid4())}
        return _identity(self.platform).sign(claims, timedelta(seconds=30), SystemClock().now())


async def open_traders(platform: Platform, number: int) -> list[Trader]:
    """Open so many users' accounts, as identity does when somebody registers."""
    clock = SystemClock()
    operator = Channels(Keyring.load(Home(platform.home).keys, "operator"), clock)
    traders = []
    async with operator.to("trading", platform.ports.address("trading")) as channel:
        stub = AccountServiceStub(channel)
        for _ in range(number):
            user_id = str(uuid4())
            opened = await stub.OpenAccounts(OpenAccountsRequest(user_id=user_id))
            claims = {"sub": user_id, "aud": "veritick", "sid": str(uuid4()), "perm": []}
            token = _identity(platform).sign(claims, timedelta(hours=1), clock.now())
            traders.append(Trader(user_id, opened.accounts[0].account_id, token, platform))
    return traders


def _identity(platform: Platform) -> Keyring:
    return Keyring.load(Home(platform.home).keys, "identity")
