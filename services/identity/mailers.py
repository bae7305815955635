"""How mails leave: over SMTP, or into a mailbox on this machine that staff can read."""

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Protocol
from urllib.parse import unquote, urlsplit

from services.identity import letters
from services.identity.ground import Ground
from services.identity.letter import Mail
from services.identity.letters import Delivered

_SECONDS = 20
_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


class MailRefused(Exception):
    """The mail could not be handed over; another attempt may succeed."""


class Mailer(Protocol):
    """Where mails are handed over."""

    async def deliver(self, mail: Mail) -> None:
        """Hand a mail over. MailRefused when it is not taken."""


class SmtpMailer:
    """A mail server, by a URL such as `smtp+starttls://user:password@mail.example.org:587`."""

    def __init__(self, url: str, sender: str, tls: ssl.SSLContext | None = None) -> None:
        """Send as `sender`; ValueError for a URL that is none of smtp, smtp+starttls and smtps."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError(f"a mail server's URL begins with one of: {', '.join(_PORTS)}")
        self._scheme = parts.scheme
        self._host = parts.hostname
        self._port = parts.port or _PORTS[parts.scheme]
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        self._sender = sender
        self._tls = tls or ssl.create_default_context()

    async def deliver(self, mail: Mail) -> None:
        """Hand a mail over. MailRefused when it is not taken."""
        try:
            await asyncio.to_thread(self._send, mail)
        except (smtplib.SMTPException, OSError) as error:
            # What the server says may repeat the address: its kind is enough for a log.
            raise MailRefused(type(error).__name__) from None

    def _send(self, mail: Mail) -> None:
        message = composed(mail, self._sender)
        with self._connected() as server:
            if self._user:
                server.login(self._user, self._password)
            server.send_message(message)

    def _connected(self) -> smtplib.SMTP:
        if self._scheme == "smtps":
            return smtplib.SMTP_SSL(self._host, self._port, timeout=_SECONDS, context=self._tls)
        server = smtplib.SMTP(self._host, self._port, timeout=_SECONDS)
        if self._scheme == "smtp+starttls":
            server.starttls(context=self._tls)
        return server


def composed(mail: Mail, sender: str) -> EmailMessage:
    """Return a mail as it travels; its recipient is an address that has an `address_key`."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, mail.recipient, mail.subject
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain="veritick")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.body)
    return message


class LocalMailbox:
    """Keeps mails in identity's own database: for a machine without a mail server."""

    def __init__(self, ground: Ground) -> None:
        self._database = ground.database
        self._clock = ground.clock
        self._ids = ground.ids

    async def deliver(self, mail: Mail) -> None:
        """Keep a mail."""
        delivered = Delivered(self._ids(), mail, self._clock.now())
        async with self._database.transaction() as connection:
            await letters.keep(connection, delivered)
