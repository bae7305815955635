"""Production starts only with secrets of its own, and speaks no cleartext that others could hear.

Every process is asked: the four services and both runtimes of the edge.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import services.identity.app
import services.quotes.app
import services.settlement.app
import services.trading.app
from edge.settings import RestSettings
from edge.stream.app import running
from edge.stream.settings import StreamSettings
from services.identity.settings import Settings as IdentitySettings
from services.kit.settings import ServiceSettings
from services.kit.tls import TlsSettings
from services.local.keys import ensure_keys
from services.quotes.settings import Settings as QuotesSettings
from services.settlement.settings import Settings as SettlementSettings
from services.trading.settings import Settings as TradingSettings

pytestmark = pytest.mark.security

DSN = "postgresql://svc:Xq9-long-and-random@db.internal/one"
REDIS = "rediss://:Xq9-long-and-random@redis.internal:6379"
HERE = "127.0.0.1:7100"
KEYS = Path("/nowhere")
ADDRESSES = {f"{name}_address": HERE for name in ("identity", "quotes", "trading", "settlement")}
COMMON: dict[str, Any] = {"mode": "production", "keys": KEYS, "redis_url": REDIS, **ADDRESSES}
TLS = TlsSettings(certificate=KEYS, private_key=KEYS, authorities=KEYS)

Make = Callable[..., ServiceSettings]


def identity(**changes: Any) -> IdentitySettings:
    return IdentitySettings(**COMMON | {"database_url": DSN} | changes)


def quotes(**changes: Any) -> QuotesSettings:
    return QuotesSettings(**COMMON | {"database_url": DSN} | changes)


def trading(**changes: Any) -> TradingSettings:
    url = changes.pop("database_url", DSN)
    return TradingSettings(**COMMON | {"books": {"demo": {"database_url": url}}} | changes)


def settlement(**changes: Any) -> SettlementSettings:
    return SettlementSettings(**COMMON | {"database_url": DSN} | changes)


def rest(**changes: Any) -> RestSettings:
    return RestSettings(**COMMON | changes)


def stream(**changes: Any) -> StreamSettings:
    return StreamSettings(**COMMON | changes)


SERVICES = [identity, quotes, trading, settlement]
PROCESSES = [*SERVICES, rest, stream]


@pytest.mark.parametrize("make", PROCESSES)
def test_a_process_with_secrets_of_its_own_may_start(make: Make) -> None:
    assert make().mode == "production"


@pytest.mark.parametrize("make", SERVICES)
@pytest.mark.parametrize("password", ["", ":postgres", ":changeme", ":svc"])
def test_a_database_with_a_guessable_password_is_refused(make: Make, password: str) -> None:
    with pytest.raises(ValidationError, match=r"guessable secret: .*database_url"):
        make(database_url=f"postgresql://svc{password}@db.internal/one")


@pytest.mark.parametrize("make", PROCESSES)
@pytest.mark.parametrize("url", ["redis://redis:6379", "rediss://u:password@redis", "redis://:@r"])
def test_a_redis_that_anybody_may_use_is_refused(make: Make, url: str) -> None:
    with pytest.raises(ValidationError, match="default or guessable secret: redis_url"):
        make(redis_url=url)


@pytest.mark.parametrize("make", PROCESSES)
def test_a_redis_on_a_socket_of_this_machine_needs_no_password(make: Make) -> None:
    assert make(redis_url="unix:///run/valkey.sock").mode == "production"


def test_a_mail_server_with_a_guessable_password_is_refused() -> None:
    with pytest.raises(ValidationError, match="default or guessable secret: smtp_url"):
        identity(smtp_url="smtp+starttls://post:Change%6de@mail.example.org")


@pytest.mark.parametrize("site", [{}, {"site_url": "http://trade.example.org"}])
async def test_letters_never_lead_to_this_machine_nor_into_the_open(
    site: dict[str, str], tmp_path: Path
) -> None:
    ensure_keys(tmp_path)
    url = "smtp+starttls://post:Xq9-long-and-random@mail.example.org"
    settings = identity(keys=tmp_path, smtp_url=url, **site)
    with pytest.raises(SystemExit, match="VERITICK_SITE_URL"):
        await services.identity.app.build(settings).__aenter__()


async def test_no_process_starts_without_keys() -> None:
    builds: list[Callable[[], AbstractAsyncContextManager[object]]] = [
        lambda: services.identity.app.build(identity(keys=None)),
        lambda: services.quotes.app.build(quotes(keys=None)),
        lambda: services.trading.app.build(trading(keys=None)),
        lambda: services.settlement.app.build(settlement(keys=None)),
        lambda: running(stream(keys=None)),
    ]
    for build in builds:
        with pytest.raises(SystemExit):
            await build().__aenter__()
    with pytest.raises(ValidationError, match="keys"):
        rest(keys=None)


LISTENERS = [
    *((make, "listen") for make in PROCESSES),
    *((make, "admin_listen") for make in SERVICES),
    *((make, "metrics_listen") for make in PROCESSES),
    (rest, "http_listen"),
    (stream, "stream_listen"),
]


@pytest.mark.parametrize(("make", "listener"), LISTENERS)
@pytest.mark.parametrize("where", ["0.0.0.0:8443", ":8443", "[::]:8443", "10.1.2.3:8443"])
def test_cleartext_is_not_spoken_where_others_hear_it(
    make: Make, listener: str, where: str
) -> None:
    with pytest.raises(ValidationError, match=rf"VERITICK_CLEARTEXT names it: {listener}"):
        make(**{listener: where})


@pytest.mark.parametrize(("make", "listener"), LISTENERS)
def test_cleartext_is_spoken_on_this_machine_or_when_it_is_asked_for_by_name(
    make: Make, listener: str
) -> None:
    for where in ("127.0.0.1:8443", "[::1]:8443", "localhost:8443"):
        assert make(**{listener: where}).mode == "production"
    assert make(**{listener: "0.0.0.0:8443"}, cleartext={listener}).mode == "production"
    with pytest.raises(ValidationError, match="VERITICK_CLEARTEXT"):
        make(**{listener: "0.0.0.0:8443"}, cleartext={"channels"})


@pytest.mark.parametrize("make", PROCESSES)
def test_nor_are_tokens_sent_in_cleartext_to_another_machine(make: Make) -> None:
    with pytest.raises(ValidationError, match="VERITICK_CLEARTEXT names it: channels"):
        make(identity_address="identity.internal:7100")
    assert make(identity_address="identity.internal:7100", tls=TLS).mode == "production"
    told = make(identity_address="identity.internal:7100", cleartext={"channels"})
    assert told.mode == "production"


@pytest.mark.parametrize("make", PROCESSES)
def test_development_is_not_asked(make: Make) -> None:
    made = make(mode="development", listen="0.0.0.0:1", redis_url="redis://localhost")
    assert made.mode == "development"
