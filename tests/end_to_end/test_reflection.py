"""`buf curl` against the services, with reflection: nothing but the address is known."""

import json
import subprocess
import sysconfig
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from tests.end_to_end.traders import Credentials
from tests.platform import Platform
from tests.waiting import PATIENCE_SECONDS

pytestmark = [pytest.mark.platform, pytest.mark.timeout(240)]

BUF = Path(sysconfig.get_path("scripts")) / "buf"


def buf_curl(
    platform: Platform, service: str, method: str, request: dict[str, Any], *headers: str
) -> "subprocess.CompletedProcess[str]":
    url = f"http://{platform.ports.address(service)}/{method}"
    command = [str(BUF), "curl", "--protocol", "grpc", "--http2-prior-knowledge"]
    for header in headers:
        command += ["-H", header]
    command += ["-d", json.dumps(request), url]
    return subprocess.run(
        command, capture_output=True, check=False, text=True, timeout=PATIENCE_SECONDS
    )


@pytest.mark.parametrize(
    ("service", "name"),
    [
        ("identity", "veritick.identity.v1.AuthService"),
        ("quotes", "veritick.quotes.v1.FixingService"),
        ("trading", "veritick.trading.v1.OrderService"),
        ("settlement", "veritick.settlement.v1.ReceiptService"),
    ],
)
def test_a_service_tells_what_it_offers(platform: Platform, service: str, name: str) -> None:
    url = f"http://{platform.ports.address(service)}"
    command = [str(BUF), "curl", "--protocol", "grpc", "--http2-prior-knowledge"]

    listed = subprocess.run(
        [*command, "--list-services", url],
        capture_output=True,
        check=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )

    assert name in listed.stdout.split()
    assert "grpc.health.v1.Health" in listed.stdout.split()


def test_what_is_public_is_answered(platform: Platform) -> None:
    done = buf_curl(platform, "quotes", "veritick.quotes.v1.InstrumentService/ListInstruments", {})

    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["instruments"]) >= 28


def test_a_bearer_token_opens_what_is_ones_own(
    platform: Platform, credentials: Credentials
) -> None:
    bearer = f"authorization: Bearer {credentials.session.access_token}"

    done = buf_curl(
        platform, "trading", "veritick.trading.v1.AccountService/ListAccounts", {}, bearer
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accounts"][0]["book"] == "DEMO"


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("veritick.trading.v1.AccountService/ListAccounts", "UNAUTHENTICATED"),
        ("veritick.trading.v1.BookService/SettleOrders", "PERMISSION_DENIED"),
    ],
)
def test_a_refusal_carries_its_reason(platform: Platform, method: str, reason: str) -> None:
    done = buf_curl(platform, "trading", method, {})

    assert done.returncode != 0
    (detail,) = json.loads(done.stderr)["details"]
    assert detail["type"] == "google.rpc.ErrorInfo"
    info = ErrorInfo.FromString(b64decode(detail["value"] + "=="))
    assert (info.reason, info.domain) == (reason, "veritick")
