"""Between the domain and the contract's messages."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.kit.errors import Failure, Violation
from services.kit.ids import parse_scoped, scoped
from services.kit.journal import NewEvent, new_event
from services.kit.reason import Reason
from services.kit.values import Money as MoneyValue
from services.kit.values import Price as PriceValue
from services.kit.wire import to_datetime, to_timestamp
from services.trading import market, order, terms
from services.trading.book import Account, BookedOrder, DueOrder
from services.trading.ledger import StatementLine
from services.trading.order import Close, Direction, Order, OrderRequest, Outcome, VoidReason
from veritick.error.v1.error_reason_pb2 import ErrorReason
from veritick.event.v1.event_pb2 import (
    BalanceChanged,
    Event,
    OrderOpened,
    OrderSettled,
    PayoutChanged,
)
from veritick.quotes.v1 import fixing_service_pb2, instrument_pb2
from veritick.trading.v1 import (
    account_pb2,
    book_service_pb2,
    order_pb2,
    order_service_pb2,
    terms_pb2,
)
from veritick.type.v1.money_pb2 import Money
from veritick.type.v1.price_pb2 import Price

PAYOUTS = "payouts"
"""The journal subject of a book's terms."""


def account_subject(account_id: str) -> str:
    """Return the journal subject of an account; also the name of its channel."""
    return f"account:{account_id}"


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


def missing(field: str, description: str) -> Failure:
    """Return the refusal of a request that lacks something the field rules cannot express."""
    violation = Violation(field, description)
    return Failure(Reason.INVALID_REQUEST, f"{field} {description}.", violations=[violation])


def to_terms(message: terms_pb2.Terms) -> terms.Terms:
    """Return the terms in a message; the payout begins at the fixed one."""
    return terms.Terms(
        instrument=message.instrument,
        version=message.version,
        currency=message.stake_min.currency_code,
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


class BookWire:
    """The messages of one book: its name is in every id, its kind on every account."""

    def __init__(self, book: str, kind: str) -> None:
        """Encode for the book `demo` of the kind `DEMO`."""
        self.book = book
        self._kind = account_pb2.Book.Value(kind)

    def id(self, value: UUID) -> str:
        """Return an id of this book as text."""
        return scoped(self.book, value)

    def account(self, account: Account) -> account_pb2.Account:
        """Return an account as a message."""
        return account_pb2.Account(
            account_id=self.id(account.account_id),
            book=self._kind,
            currency_code=account.currency,
            posted=money(account.posted, account.currency),
            held=money(account.held, account.currency),
            available=money(account.available, account.currency),
            state=account_pb2.Account.State.ValueType(account.state),
            open_orders=account.open_orders,
            open_time=to_timestamp(account.opened_at),
        )

    def order(self, value: Order, close: Close | None) -> order_pb2.Order:
        """Return an order as a message, open or closed."""
        message = order_pb2.Order(
            order_id=self.id(value.order_id),
            account_id=self.id(value.account_id),
            request_id=str(value.request_id),
            instrument=value.instrument,
            direction=order_pb2.Direction.ValueType(value.direction),
            stake=money(value.stake, value.currency),
            payout_bp=value.payout_bp,
            state=order_pb2.Order.CLOSED if close else order_pb2.Order.OPEN,
            entry_tick=order_tick(
                value.instrument,
                value.price_scale,
                value.entry_number,
                value.entry_price,
                value.entry_time,
                value.entry_source_time,
            ),
            open_time=to_timestamp(value.opened_at),
            expire_time=to_timestamp(value.expires_at),
            terms_version=value.terms_version,
        )
        if close:
            _add_close(message, value, close)
        return message

    def booked(self, item: BookedOrder) -> order_pb2.Order:
        """Return an order with how it closed, if it has."""
        return self.order(item.order, item.close)

    def due(self, item: DueOrder) -> book_service_pb2.DueOrder:
        """Return what settlement needs of an order."""
        return book_service_pb2.DueOrder(
            order_id=self.id(item.order_id),
            instrument=item.instrument,
            direction=order_pb2.Direction.ValueType(item.direction),
            entry_price_mantissa=item.entry_price,
            expire_time=to_timestamp(item.expires_at),
        )

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

    def order_opened(self, value: Order, account: Account) -> list[NewEvent]:
        """Return what an accepted order tells its account."""
        event = Event(order_opened=OrderOpened(order=self.order(value, None)))
        return [new_event(self._subject(account), event), self.balance_changed(account)]

    def order_settled(self, value: Order, close: Close, account: Account) -> list[NewEvent]:
        """Return what a closed order tells its account."""
        event = Event(order_settled=OrderSettled(order=self.order(value, close)))
        return [new_event(self._subject(account), event), self.balance_changed(account)]

    def balance_changed(self, account: Account) -> NewEvent:
        """Return what a movement tells its account."""
        event = Event(balance_changed=BalanceChanged(account=self.account(account)))
        return new_event(self._subject(account), event)

    def payout_changed(self, value: terms.Terms) -> NewEvent:
        """Return what a change of terms tells everybody."""
        return new_event(PAYOUTS, Event(payout_changed=PayoutChanged(terms=terms_message(value))))

    def _subject(self, account: Account) -> str:
        return account_subject(self.id(account.account_id))


def _add_close(message: order_pb2.Order, value: Order, close: Close) -> None:
    message.outcome = order_pb2.Order.Outcome.ValueType(close.outcome)
    if close.void_reason:
        message.void_reason = fixing_service_pb2.VoidReason.ValueType(close.void_reason)
    message.returned.CopyFrom(money(close.returned, value.currency))
    message.close_time.CopyFrom(to_timestamp(close.closed_at))
    if close.close_number is not None and close.close_price is not None and close.close_time:
        message.close_tick.CopyFrom(
            order_tick(
                value.instrument,
                value.price_scale,
                close.close_number,
                close.close_price,
                close.close_time,
                close.close_source_time,
            )
        )


def to_book_id(text: str) -> tuple[str, UUID]:
    """Return the book's name and the id of an id's text, which the field rules have checked."""
    parsed = parse_scoped(text)
    if parsed is None:
        raise missing("id", "is malformed")
    return parsed


def to_outcome(number: int) -> Outcome:
    """Return an outcome by its number in the contract."""
    return Outcome(number)


def to_void_reason(number: int) -> VoidReason:
    """Return a reason by its number in the contract."""
    return VoidReason(number)
