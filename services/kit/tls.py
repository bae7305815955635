"""TLS for every server and channel, mutual by default, with certificates that may change.

A certificate is renewed by replacing its files: the next handshake of a server presents the new
one, and a channel goes over to a new connection while its calls in flight end on the old one.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import grpc
import structlog
from pydantic import BaseModel, Field

_GRACE_SECONDS = 60.0
_log = structlog.stdlib.get_logger()


class TlsSettings(BaseModel):
    """Which files a process proves itself with, and whom it believes."""

    certificate: Path = Field(description="its certificate with the chain above it, PEM")
    private_key: Path = Field(description="the key of that certificate, PEM")
    authorities: Path = Field(description="certificates of those who vouch for its peers, PEM")
    mutual: bool = Field(default=True, description="callers must have a certificate as well")


@dataclass(frozen=True, slots=True)
class Material:
    """What the files held when they were read last."""

    certificate: bytes
    private_key: bytes
    authorities: bytes


class TlsFiles:
    """The files of some settings, read again when one of them has changed."""

    def __init__(self, settings: TlsSettings) -> None:
        """Read them; OSError when one is missing."""
        self._paths = (settings.certificate, settings.private_key, settings.authorities)
        self._mutual = settings.mutual
        self._stamp = self._look()
        self._material = self._read()

    @property
    def material(self) -> Material:
        """What the files hold now; what they held before while they cannot be read."""
        try:
            stamp = self._look()
            if stamp != self._stamp:
                self._material, self._stamp = self._read(), stamp
                _log.info("certificate read again", file=str(self._paths[0]))
        except OSError as error:
            _log.warning("certificate not read", reason=str(error))
        return self._material

    def server_credentials(self) -> grpc.ServerCredentials:
        """Return what a gRPC server listens with."""
        presented = self._material

        def fetch() -> Any:
            """Return the configuration when it has changed, None while it has not."""
            nonlocal presented
            if (now := self.material) is presented:
                return None
            presented = now
            return self._configuration(now)

        return grpc.dynamic_ssl_server_credentials(
            self._configuration(presented), fetch, require_client_authentication=self._mutual
        )

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Return what a channel that is opened now connects with."""
        now = self.material
        key, certificate = (now.private_key, now.certificate) if self._mutual else (None, None)
        return grpc.ssl_channel_credentials(now.authorities, key, certificate)

    def _configuration(self, material: Material) -> grpc.ServerCertificateConfiguration:
        pair = (material.private_key, material.certificate)
        roots = material.authorities if self._mutual else None
        return grpc.ssl_server_certificate_configuration([pair], root_certificates=roots)

    def _look(self) -> tuple[tuple[int, int], ...]:
        found = [path.stat() for path in self._paths]
        return tuple((stat.st_mtime_ns, stat.st_ino) for stat in found)

    def _read(self) -> Material:
        return Material(*(path.read_bytes() for path in self._paths))


class RenewedChannel(grpc.aio.Channel):
    """A channel that goes over to a new one when the certificate has changed."""

    def __init__(self, files: TlsFiles, open_channel: Callable[[], grpc.aio.Channel]) -> None:
        self._files = files
        self._open = open_channel
        self._opened_with = files.material
        self._channel = open_channel()
        self._closing: set[asyncio.Task[None]] = set()

    def current(self) -> grpc.aio.Channel:
        """Return the channel for the next call."""
        if (now := self._files.material) is not self._opened_with:
            old, self._channel, self._opened_with = self._channel, self._open(), now
            task = asyncio.create_task(old.close(_GRACE_SECONDS))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        return self._channel

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Close the channel, and those that it has left."""
        for task in self._closing:
            task.cancel()
        await self._channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Return the state of the present channel."""
        return self.current().get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Wait until the present channel is in another state."""
        await self.current().wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Wait until the present channel is connected."""
        await self.current().channel_ready()

    def unary_unary(self, *arguments: Any, **named: Any) -> Any:
        """Return what makes calls of this kind, each on the channel of its moment."""
        return _Renewed(self, lambda channel: channel.unary_unary(*arguments, **named))

    def unary_stream(self, *arguments: Any, **named: Any) -> Any:
        """Return what makes calls of this kind, each on the channel of its moment."""
        return _Renewed(self, lambda channel: channel.unary_stream(*arguments, **named))

    def stream_unary(self, *arguments: Any, **named: Any) -> Any:
        """Return what makes calls of this kind, each on the channel of its moment."""
        return _Renewed(self, lambda channel: channel.stream_unary(*arguments, **named))

    def stream_stream(self, *arguments: Any, **named: Any) -> Any:
        """Return what makes calls of this kind, each on the channel of its moment."""
        return _Renewed(self, lambda channel: channel.stream_stream(*arguments, **named))


class _Renewed:
    """Makes the calls of one method."""

    def __init__(self, owner: RenewedChannel, bind: Callable[[grpc.aio.Channel], Any]) -> None:
        self._owner = owner
        self._bind = bind
        self._channel: grpc.aio.Channel | None = None
        self._call: Any = None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        channel = self._owner.current()
        if channel is not self._channel:
            self._channel, self._call = channel, self._bind(channel)
        return self._call(*arguments, **named)


class HttpTlsSettings(BaseModel):
    """Which files a server that people connect to proves itself with."""

    certificate: Path = Field(description="its certificate with the chain above it, PEM")
    private_key: Path = Field(description="the key of that certificate, PEM")


def http_context(settings: HttpTlsSettings) -> ssl.SSLContext:
    """Return what an HTTP server listens with; each handshake sees the files as they are then.

    OSError when one is missing.
    """
    files = TlsFiles(
        TlsSettings(
            certificate=settings.certificate,
            private_key=settings.private_key,
            authorities=settings.certificate,
        )
    )
    current = (files.material, _context(settings))

    def present(connection: ssl.SSLObject | ssl.SSLSocket, *_: object) -> None:
        nonlocal current
        if (now := files.material) is not current[0]:
            current = (now, _context(settings))
        connection.context = current[1]

    listening = _context(settings)
    listening.sni_callback = present
    return listening


def _context(settings: HttpTlsSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.certificate, settings.private_key)
    return context
