"""Letters leave by a mail server, when it takes them."""

import asyncio
import email as mime
from collections.abc import AsyncIterator
from datetime import timedelta
from email.message import Message

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.service.identity_server import StartIdentity
from tests.waiting import eventually
from veritick.identity.v1.auth_service_pb2 import VerifyEmailRequest

pytest_plugins = ["tests.service.identity_fixtures"]
pytestmark = pytest.mark.security


class Server:
    """What a real mail server took, and whether it takes anything."""

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.refusing = False

    async def handle_DATA(  # noqa: N802  the name that the library calls
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take a message."""
        if self.refusing:
            return "451 try again later"
        assert isinstance(envelope.content, bytes)
        self.taken.append(mime.message_from_bytes(envelope.content))
        return "250 OK"


@pytest.fixture
async def mail_server() -> AsyncIterator[tuple[Server, str]]:
    """A mail server that wants a password, and its URL."""
    server = Server()

    def authenticate(*given: object) -> AuthResult:
        return AuthResult(success=given[-1] == LoginPassword(b"veritick", b"p@ss"))

    def protocol() -> SMTP:
        return SMTP(server, authenticator=authenticate, auth_required=True, auth_require_tls=False)

    listening = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        yield server, f"smtp://veritick:p%40ss@127.0.0.1:{port}"


async def test_letters_go_to_the_mail_server_and_come_when_it_takes_them(
    start_identity: StartIdentity, mail_server: tuple[Server, str]
) -> None:
    server, url = mail_server
    server.refusing = True
    async with start_identity(smtp_url=url) as identity:
        user = await identity.register("ana@example.com")
        soon = identity.clock.now() + timedelta(minutes=1)
        query = "SELECT 1 FROM letters WHERE attempts = 1 AND due_at < %s"
        await eventually(lambda: bool(identity.rows(query, soon)))
        server.refusing = False
        identity.clock.advance(timedelta(seconds=16))
        await eventually(lambda: bool(server.taken))
        (message,) = server.taken
        assert (message["To"], message["Subject"]) == (user.email, "Confirm your mail address")
        body = message.get_payload(decode=True)
        assert isinstance(body, bytes)
        token = body.decode().partition("#token=")[2].split()[0]
        await identity.auth.VerifyEmail(VerifyEmailRequest(token=token))
        assert identity.rows("SELECT * FROM mailbox") == []
        sent = "SELECT 1 FROM letters WHERE outcome = 'SENT'"
        await eventually(lambda: bool(identity.rows(sent)))
