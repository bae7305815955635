"""What staff do to a running platform while a page is open."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from services.kit.clock import SystemClock
from services.kit.tokens import Keyring
from tests.platform import Platform
from tests.waiting import PATIENCE_SECONDS, until
from veritick.identity.v1.mailbox_service_pb2 import ListMailsRequest
from veritick.identity.v1.mailbox_service_pb2_grpc import MailboxServiceStub
from veritick.quotes.v1.instrument_pb2 import Schedule
from veritick.quotes.v1.instrument_service_pb2 import GetInstrumentRequest, UpdateInstrumentRequest
from veritick.quotes.v1.instrument_service_pb2_grpc import InstrumentServiceStub
from veritick.trading.v1.terms_service_pb2 import ListTermsRequest, UpdateTermsRequest
from veritick.trading.v1.terms_service_pb2_grpc import TermsServiceStub


@contextmanager
def calling(platform: Platform, service: str) -> Iterator[tuple[grpc.Channel, dict[str, Any]]]:
    """Lend a channel to a service, and what calls on it carry: the operator's token."""
    keyring = Keyring.load(platform.home / "keys", "operator")
    token = keyring.service_token(service, SystemClock().now())
    with grpc.insecure_channel(platform.ports.address(service)) as channel:
        metadata = [("authorization", f"Bearer {token}")]
        yield channel, {"metadata": metadata, "timeout": PATIENCE_SECONDS}


@contextmanager
def closed_market(platform: Platform, symbol: str) -> Iterator[None]:
    """Let an instrument's venue be on holiday for as long as this lasts."""
    before = Schedule()

    def change(schedule: Schedule) -> None:
        with calling(platform, "quotes") as (channel, call):
            quotes = InstrumentServiceStub(channel)
            found = quotes.GetInstrument(GetInstrumentRequest(instrument=symbol), **call)
            before.CopyFrom(found.instrument.schedule)
            found.instrument.schedule.CopyFrom(schedule)
            quotes.UpdateInstrument(UpdateInstrumentRequest(instrument=found.instrument), **call)

    now = SystemClock().now()
    minute = now.weekday() * 1440 + now.hour * 60 + now.minute
    later = Schedule(time_zone="UTC")
    begin = (minute + 120) % 10_080
    later.windows.add(open_minute=begin, close_minute=begin + 60)
    change(later)
    usual = Schedule()
    usual.CopyFrom(before)
    try:
        yield
    finally:
        change(usual)


def change_payout(platform: Platform, symbol: str, payout_bp: int) -> int:
    """Set what a win pays on the demo book; returns what it paid before."""
    with calling(platform, "trading") as (channel, call):
        trading = TermsServiceStub(channel)
        listed = trading.ListTerms(
            ListTermsRequest(book="demo", filter=f"instrument={symbol}"), **call
        )
        terms = listed.terms[0]
        before: int = terms.payout_fixed_bp
        terms.payout_fixed_bp = payout_bp
        trading.UpdateTerms(UpdateTermsRequest(book="demo", terms=terms), **call)
        return before


def await_link(platform: Platform, recipient: str, subject: str) -> str:
    """Wait until somebody got a letter about this, and return the link in the newest."""
    request = ListMailsRequest(filter=f"recipient={recipient}")
    with calling(platform, "identity") as (channel, call):
        mailbox = MailboxServiceStub(channel)

        def letters() -> list[str]:
            mails = mailbox.ListMails(request, **call).mails
            return [mail.body for mail in mails if mail.subject == subject]

        until(lambda: bool(letters()))
        return next(word for word in letters()[0].split() if word.startswith("http"))
