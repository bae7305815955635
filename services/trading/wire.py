"""Between the domain and the contract's messages."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from services.kit.errors import Failure, Violation
from services.kit.ids import parse_scoped, scoped, uuid_text
from services.kit.journal import NewEvent, event_type, new_event
from services.kit.reason import Reason
from services.kit.values import Money as MoneyValue
from services.kit.values import Price as PriceValue
from services.kit.wire import to_datetime, to_timestamp
from services.trading import market, order, terms
from services.trading.book import Account, BookedOrder
from services.trading.filters import Range
from services.trading.ledger import StatementLine
from services.trading.order import Close, Direction, Order, OrderRequest
from veritick.error.v1.error_reason_pb2 import ErrorReason
from veritick.event.v1.event_pb2 import (
    Event,
    PayoutChanged,
)
from veritick.quotes.v1 import instrument_pb2
from veritick.trading.v1 import (
    account_pb2,
    order_pb2,
    order_service_pb2,
    terms_pb2,
)
from veritick.type.v1.money_pb2 import Money
from veritick.type.v1.price_pb2 import Price

PAYOUTS = "payouts"
"""The journal subject of a book's terms."""

ORDER_OPENED = event_type("order_opened")
ORDER_SETTLED = event_type("order_settled")
BALANCE_CHANGED = event_type("balance_changed")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_IDS_KNOWN = 16_384
_TICKS_KNOWN = 256


def account_subject(account_id: str) -> str:
    """Return the journal subject of an account; also the name of its channel."""
    return f"account:{account_id}"


def day(field: str, text: str) -> date:
    """Return the day in a text; Failure INVALID_REQUEST about the field where it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise missing(field, "must be a day of the calendar") from None


def money(minor_units: int, currency: str) -> Money:
    """Return an amount as a message."""
    return Money(currency_code=currency, minor_units=minor_units)


def to_money(message: Money) -> MoneyValue:
    """Return the amount in a message."""
    return MoneyValue(message.minor_units, message.currency_code)


def order_tick(
    symbol: str, scale: int, number: int, price: int, time: datetime, source: datetime | None
) -> instrument_pb2.Tick:
    """Return a tick as a message."""
    return instrument_pb2.Tick(
        instrument=symbol,
        number=number,
        price=Price(mantissa=price, scale=scale),
        time=to_timestamp(time),
        source_time=to_timestamp(source) if source else None,
    )


def to_tick(message: instrument_pb2.Tick) -> order.Tick:
    """Return the tick in a message."""
    source = to_datetime(message.source_time) if message.HasField("source_time") else None
    return order.Tick(message.number, message.price.mantissa, to_datetime(message.time), source)


def to_instrument(message: instrument_pb2.Instrument) -> market.Instrument:
    """Return what acceptance needs of an instrument."""
    return market.Instrument(
        symbol=message.symbol,
        price_scale=message.price_scale,
        status=market.InstrumentStatus(message.status),
        sessions=tuple(_session(session) for session in message.sessions),
        max_tick_age=terms.SECOND * message.max_tick_age_seconds,
        feed_silence_max=terms.SECOND * message.feed_silence_max_seconds,
    )


def _session(message: instrument_pb2.Session) -> market.Session:
    opens = to_datetime(message.open_time) if message.HasField("open_time") else None
    closes = to_datetime(message.close_time) if message.HasField("close_time") else None
    return market.Session(opens, closes)


def to_order_request(
    message: order_service_pb2.PlaceOrderRequest, account_id: UUID, user_id: UUID
) -> OrderRequest:
    """Return what a caller asks for. Failure INVALID_REQUEST without an expiry."""
    given = message.HasField
    if message.WhichOneof("expiry") is None:
        raise missing("duration_seconds", "or expire_time is required")
    return OrderRequest(
        account_id=account_id,
        user_id=user_id,
        request_id=UUID(message.request_id),
        instrument=message.instrument,
        direction=Direction(message.direction),
        stake=to_money(message.stake),
        duration_seconds=message.duration_seconds if given("duration_seconds") else None,
        expire_time=to_datetime(message.expire_time) if given("expire_time") else None,
        valid_until=to_datetime(message.valid_until) if given("valid_until") else None,
        min_payout_bp=message.min_payout_bp if given("min_payout_bp") else None,
        entry_price_limit=(
            PriceValue(message.entry_price_limit.mantissa, message.entry_price_limit.scale)
            if given("entry_price_limit")
            else None
        ),
        last_seen_tick_number=(
            message.last_seen_tick_number if given("last_seen_tick_number") else None
        ),
    )


def to_proposal_request(
    message: order_service_pb2.GetProposalRequest, account_id: UUID, user_id: UUID
) -> OrderRequest:
    """Return what a caller might ask for: a request without an id."""
    if message.WhichOneof("expiry") is None:
        raise missing("duration_seconds", "or expire_time is required")
    given = message.HasField
    return OrderRequest(
        account_id=account_id,
        user_id=user_id,
        request_id=UUID(int=0),
        instrument=message.instrument,
        direction=Direction(message.direction),
        stake=to_money(message.stake),
        duration_seconds=message.duration_seconds if given("duration_seconds") else None,
        expire_time=to_datetime(message.expire_time) if given("expire_time") else None,
    )


def refusal(failure: Failure) -> order_service_pb2.OrderRefusal:
    """Return why one of several orders was refused."""
    return order_service_pb2.OrderRefusal(
        reason=ErrorReason.Value(failure.reason.value),
        message=failure.message,
        metadata=failure.metadata,
    )


def to_range(message: Any) -> Range:
    """Return `start` and `end` of a request, None where it does not give them."""
    start = to_datetime(message.start) if message.HasField("start") else None
    return Range(start, to_datetime(message.end) if message.HasField("end") else None)


def missing(field: str, description: str) -> Failure:
    """Return the refusal of a request that lacks something the field rules cannot express."""
    violation = Violation(field, description)
    return Failure(Reason.INVALID_REQUEST, f"{field} {description}.", violations=[violation])


def to_terms(message: terms_pb2.Terms) -> terms.Terms:
    """Return the terms in a message; the payout begins at the fixed one.

    Failure INVALID_REQUEST when its amounts are of several currencies.
    """
    currency = message.stake_min.currency_code
    for field in ("stake_max", "exposure_max"):
        if getattr(message, field).currency_code != currency:
            raise missing(f"terms.{field}", f"must be in {currency}")
    return terms.Terms(
        instrument=message.instrument,
        version=message.version,
        currency=currency,
        stake_min=message.stake_min.minor_units,
        stake_max=message.stake_max.minor_units,
        duration_seconds_min=message.duration_seconds_min,
        duration_seconds_max=message.duration_seconds_max,
        expiry_grid_minutes=list(message.expiry_grid_minutes),
        expiry_cutoff_seconds=message.expiry_cutoff_seconds,
        payout_bp=message.payout_fixed_bp,
        payout_fixed_bp=message.payout_fixed_bp,
        payout_min_bp=message.payout_min_bp,
        payout_max_bp=message.payout_max_bp,
        open_orders_max=message.open_orders_max,
        exposure_max=message.exposure_max.minor_units,
    )


def terms_message(value: terms.Terms) -> terms_pb2.Terms:
    """Return terms as a message."""
    return terms_pb2.Terms(
        instrument=value.instrument,
        payout_bp=value.payout_bp,
        stake_min=money(value.stake_min, value.currency),
        stake_max=money(value.stake_max, value.currency),
        duration_seconds_min=value.duration_seconds_min,
        duration_seconds_max=value.duration_seconds_max,
        version=value.version,
        expiry_grid_minutes=value.expiry_grid_minutes,
        expiry_cutoff_seconds=value.expiry_cutoff_seconds,
        payout_fixed_bp=value.payout_fixed_bp,
        payout_min_bp=value.payout_min_bp,
        payout_max_bp=value.payout_max_bp,
        open_orders_max=value.open_orders_max,
        exposure_max=money(value.exposure_max, value.currency),
    )


# Orders of one instrument that expire together close at one tick.
_close_tick = lru_cache(_TICKS_KNOWN)(order_tick)


class BookWire:
    """The messages of one book: its name is in every id, its kind on every account."""

    def __init__(self, book: str, kind: str) -> None:
        """Encode for the book `demo` of the kind `DEMO`."""
        self.book = book
        self._kind = account_pb2.Book.Value(kind)
        self._prefix = scoped(book, UUID(int=0)).removesuffix(str(UUID(int=0)))
        # An account is named in every event about it, and again when the next one happens.
        self._account_id = lru_cache(_IDS_KNOWN)(self.id)

    def id(self, value: UUID) -> str:
        """Return an id of this book as text."""
        return self._prefix + uuid_text(value)

    def account(self, account: Account) -> account_pb2.Account:
        """Return an account as a message."""
        message = account_pb2.Account()
        self._fill_account(message, account, self.id(account.account_id))
        return message

    def order(self, value: Order, close: Close | None) -> order_pb2.Order:
        """Return an order as a message, open or closed."""
        message = order_pb2.Order()
        self._fill_order(message, value, self.id(value.account_id))
        if close:
            _add_close(message, value, close)
        return message

    # Every order makes two events: their messages are filled where they lie, since a message
    # that is passed to a constructor is copied. Numbers of enums are the contract's already.
    def _fill_order(self, message: order_pb2.Order, value: Order, account_id: str) -> None:
        message.order_id = self.id(value.order_id)
        message.account_id = account_id
        message.request_id = uuid_text(value.request_id)
        message.instrument = value.instrument
        message.direction = value.direction  # type: ignore[assignment]
        message.state = order_pb2.Order.OPEN
        _fill_money(message.stake, value.stake, value.currency)
        message.payout_bp = value.payout_bp
        message.terms_version = value.terms_version
        _fill_time(message.open_time, value.opened_at)
        _fill_time(message.expire_time, value.expires_at)
        tick = message.entry_tick
        tick.instrument = value.instrument
        tick.number = value.entry_number
        tick.price.mantissa = value.entry_price
        tick.price.scale = value.price_scale
        _fill_time(tick.time, value.entry_time)
        if value.entry_source_time:
            _fill_time(tick.source_time, value.entry_source_time)

    def _fill_account(
        self, message: account_pb2.Account, account: Account, account_id: str
    ) -> None:
        currency = account.currency
        message.account_id = account_id
        message.book = self._kind
        message.currency_code = currency
        _fill_money(message.posted, account.posted, currency)
        _fill_money(message.held, account.held, currency)
        _fill_money(message.available, account.available, currency)
        message.state = account.state  # type: ignore[assignment]
        message.open_orders = account.open_orders
        _fill_time(message.open_time, account.opened_at)

    def booked(self, item: BookedOrder) -> order_pb2.Order:
        """Return an order with how it closed, if it has."""
        return self.order(item.order, item.close)

    def entry(self, line: StatementLine) -> account_pb2.Entry:
        """Return a statement's line as a message."""
        return account_pb2.Entry(
            entry_id=line.entry_id,
            transfer_id=self.id(line.transfer_id),
            kind=account_pb2.Entry.Kind.ValueType(line.kind),
            amount=money(line.amount, line.currency),
            balance=money(line.balance, line.currency),
            time=to_timestamp(line.time),
            order_id=self.id(line.order_id) if line.order_id else None,
        )

    def order_opened(self, value: Order) -> tuple[NewEvent, bytes]:
        """Return what an accepted order tells its account, and the order's message in it."""
        account_id, event = self._account_id(value.account_id), Event()
        message = event.order_opened.order
        self._fill_order(message, value, account_id)
        return _told(account_id, ORDER_OPENED, event), message.SerializeToString()

    def order_settled(self, value: Order, close: Close) -> NewEvent:
        """Return what a closed order tells its account."""
        account_id, event = self._account_id(value.account_id), Event()
        message = event.order_settled.order
        self._fill_order(message, value, account_id)
        _add_close(message, value, close)
        return _told(account_id, ORDER_SETTLED, event)

    def balance_changed(self, account: Account) -> NewEvent:
        """Return what a commit that moved its money tells an account."""
        account_id, event = self._account_id(account.account_id), Event()
        self._fill_account(event.balance_changed.account, account, account_id)
        return _told(account_id, BALANCE_CHANGED, event)

    def payout_changed(self, value: terms.Terms) -> NewEvent:
        """Return what a change of terms tells everybody."""
        return new_event(PAYOUTS, Event(payout_changed=PayoutChanged(terms=terms_message(value))))


def _told(account_id: str, event_type: str, event: Event) -> NewEvent:
    return NewEvent(account_subject(account_id), event_type, event.SerializeToString())


def _fill_money(message: Money, minor_units: int, currency: str) -> None:
    message.minor_units = minor_units
    message.currency_code = currency


def _fill_time(message: Timestamp, moment: datetime) -> None:
    since = moment - _EPOCH
    message.seconds = since.days * 86_400 + since.seconds
    message.nanos = since.microseconds * 1000


def _add_close(message: order_pb2.Order, value: Order, close: Close) -> None:
    message.state = order_pb2.Order.CLOSED
    message.outcome = close.outcome  # type: ignore[assignment]
    if close.void_reason:
        message.void_reason = close.void_reason  # type: ignore[assignment]
    _fill_money(message.returned, close.returned, value.currency)
    _fill_time(message.close_time, close.closed_at)
    if close.close_number is None or close.close_price is None or close.close_time is None:
        return
    tick = _close_tick(
        value.instrument,
        value.price_scale,
        close.close_number,
        close.close_price,
        close.close_time,
        close.close_source_time,
    )
    message.close_tick.CopyFrom(tick)


@lru_cache(_IDS_KNOWN)
def to_book_id(text: str) -> tuple[str, UUID]:
    """Return the book's name and the id of an id's text, which the field rules have checked."""
    parsed = parse_scoped(text)
    if parsed is None:
        raise missing("id", "is malformed")
    return parsed
