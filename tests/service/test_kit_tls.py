"""TLS between services, mutual by default, with certificates that change while all goes on."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from services.kit.channels import Channels
from services.kit.clock import SystemClock
from services.kit.process import Application, serving
from services.kit.settings import ServiceSettings
from services.kit.tls import HttpTlsSettings, TlsSettings, http_context
from services.kit.tokens import Keyring
from services.local.keys import ensure_keys
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.security

HOST = "127.0.0.1"


class Certified:
    """The files of one process, by an authority that may change."""

    def __init__(self, folder: Path, authority: trustme.CA, *, mutual: bool = True) -> None:
        folder.mkdir()
        self.settings = TlsSettings(
            certificate=folder / "certificate.pem",
            private_key=folder / "key.pem",
            authorities=folder / "authorities.pem",
            mutual=mutual,
        )
        authority.cert_pem.write_to_path(self.settings.authorities)
        self.renew(authority)

    def renew(self, authority: trustme.CA) -> bytes:
        """Replace the certificate; return it."""
        made = authority.issue_cert(HOST, "localhost")
        written = b"".join(blob.bytes() for blob in made.cert_chain_pems)
        for path, content in (
            (self.settings.private_key, made.private_key_pem.bytes()),
            (self.settings.certificate, written),
        ):
            draft = path.with_suffix(".new")
            draft.write_bytes(content)
            draft.replace(path)
        return ssl.PEM_cert_to_DER_cert(made.cert_chain_pems[0].bytes().decode())


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    folder = tmp_path_factory.mktemp("keys")
    ensure_keys(folder)
    return Keyring.load(folder, "operator")


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server(tmp_path: Path, authority: trustme.CA) -> Certified:
    return Certified(tmp_path / "server", authority)


@pytest.fixture
async def address(server: Certified, keyring: Keyring) -> AsyncIterator[str]:
    settings = ServiceSettings(mode="development", drain_seconds=0, tls=server.settings)
    async with serving("trading", settings, Application(keyring)) as running:
        yield running.address


async def healthy(keyring: Keyring, address: str, tls: TlsSettings | None) -> bool:
    """Tell whether a server answers a caller with these files."""
    channels = Channels(keyring, SystemClock(), tls)
    async with channels.to("trading", address, anonymous=True) as channel:
        return await answers(channel)


async def answers(channel: grpc.aio.Channel) -> bool:
    stub: Any = HealthStub(channel)
    try:
        await stub.Check(HealthCheckRequest(), timeout=PATIENCE_SECONDS)
    except grpc.aio.AioRpcError as error:
        return error.code() is not grpc.StatusCode.UNAVAILABLE
    return True


async def presented(address: str, client: Certified) -> bytes | None:
    """Return the certificate that a server presents to a new connection."""
    context = ssl.create_default_context(cafile=client.settings.authorities)
    context.load_cert_chain(client.settings.certificate, client.settings.private_key)
    context.set_alpn_protocols(["h2"])
    host, _, port = address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    found: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return found


async def test_who_has_a_certificate_of_the_authority_is_answered(
    tmp_path: Path, authority: trustme.CA, keyring: Keyring, address: str
) -> None:
    client = Certified(tmp_path / "client", authority)
    assert await healthy(keyring, address, client.settings)


async def test_nobody_else_is(
    tmp_path: Path, authority: trustme.CA, keyring: Keyring, address: str
) -> None:
    without = Certified(tmp_path / "without", authority, mutual=False)
    stranger = Certified(tmp_path / "stranger", trustme.CA())
    forger = Certified(tmp_path / "forger", trustme.CA())
    authority.cert_pem.write_to_path(forger.settings.authorities)
    for tls in (None, without.settings, stranger.settings, forger.settings):
        assert not await healthy(keyring, address, tls)


async def test_without_mutual_a_caller_needs_no_certificate(
    tmp_path: Path, authority: trustme.CA, keyring: Keyring
) -> None:
    server = Certified(tmp_path / "server", authority, mutual=False)
    settings = ServiceSettings(mode="development", drain_seconds=0, tls=server.settings)
    async with serving("trading", settings, Application(keyring)) as running:
        assert await healthy(keyring, running.address, server.settings)
        assert not await healthy(keyring, running.address, None)


async def test_a_server_presents_a_new_certificate_without_a_restart(
    tmp_path: Path, authority: trustme.CA, server: Certified, keyring: Keyring, address: str
) -> None:
    client = Certified(tmp_path / "client", authority)
    channels = Channels(keyring, SystemClock(), client.settings)
    async with channels.to("trading", address, anonymous=True) as channel:
        assert await answers(channel)
        before = await presented(address, client)
        renewed = server.renew(authority)
        assert await presented(address, client) == renewed != before
        assert await answers(channel)


async def test_a_channel_goes_over_to_a_new_certificate(
    tmp_path: Path, authority: trustme.CA, server: Certified, keyring: Keyring, address: str
) -> None:
    client = Certified(tmp_path / "client", trustme.CA())
    authority.cert_pem.write_to_path(client.settings.authorities)
    channels = Channels(keyring, SystemClock(), client.settings)
    async with channels.to("trading", address, anonymous=True) as channel:
        assert not await answers(channel)
        client.renew(authority)
        assert await answers(channel)


async def test_a_page_is_served_with_the_certificate_of_the_moment(
    tmp_path: Path, authority: trustme.CA
) -> None:
    files = Certified(tmp_path / "edge", authority)
    context = http_context(
        HttpTlsSettings(
            certificate=files.settings.certificate, private_key=files.settings.private_key
        )
    )

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    listening = await asyncio.start_server(serve, HOST, 0, ssl=context)
    async with listening:
        address = f"{HOST}:{listening.sockets[0].getsockname()[1]}"
        before = await presented(address, files)
        renewed = files.renew(authority)
        assert await presented(address, files) == renewed != before
