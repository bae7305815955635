"""What traders call: accounts, orders, terms and events. Decode, call, encode."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from time import perf_counter
from typing import Any
from uuid import UUID

from services.kit.audit import by_caller
from services.kit.errors import Failure
from services.kit.journal_wire import to_entries
from services.kit.pages import decode_page_token, encode_page_token, parse_filter
from services.kit.principal import caller
from services.kit.reason import Reason
from services.kit.wire import to_timestamp
from services.trading.acceptance import Offer
from services.trading.book import Account
from services.trading.desk import Desk
from services.trading.filters import order_filter
from services.trading.moving import Moved, RefillRequest
from services.trading.order import OrderRequest, Outcome
from services.trading.pages_wire import entries_page, orders_page
from services.trading.placing import Placed
from services.trading.posting import returned_of
from services.trading.setting_terms import SetTerms
from services.trading.terms import check_terms
from services.trading.wire import (
    account_subject,
    money,
    order_tick,
    refusal,
    terms_message,
    to_book_id,
    to_order_request,
    to_proposal_request,
    to_range,
    to_terms,
)
from veritick.journal.v1 import account_event_service_pb2 as events_pb
from veritick.journal.v1.account_event_service_pb2_grpc import AccountEventServiceServicer
from veritick.trading.v1 import account_service_pb2 as accounts_pb
from veritick.trading.v1 import order_service_pb2 as orders_pb
from veritick.trading.v1 import terms_service_pb2 as terms_pb
from veritick.trading.v1.account_service_pb2_grpc import AccountServiceServicer
from veritick.trading.v1.order_service_pb2_grpc import OrderServiceServicer
from veritick.trading.v1.terms_service_pb2_grpc import TermsServiceServicer

Desks = Mapping[str, Desk]
_EVENTS = 100
_TERMS = 200
_WATCH_PAGE = 500


def desk_of(desks: Desks, book: str) -> Desk:
    """Return the desk of a book; BOOK_NOT_FOUND if it is not served here."""
    desk = desks.get(book.lower())
    if desk is None:
        raise Failure(Reason.BOOK_NOT_FOUND, "There is no such book.", metadata={"book": book})
    return desk


def locate(desks: Desks, text: str, missing: Reason) -> tuple[Desk, UUID]:
    """Return the desk and the id of a book-scoped id; an unknown book is as a missing thing."""
    book, identifier = to_book_id(text)
    if book not in desks:
        raise Failure(missing, "There is no such thing.")
    return desks[book], identifier


async def own_account(desks: Desks, text: str) -> tuple[Desk, Account]:
    """Return the caller's account of this id; ACCOUNT_NOT_FOUND for any other."""
    desk, account_id = locate(desks, text, Reason.ACCOUNT_NOT_FOUND)
    return desk, await desk.account(account_id, caller().user_id)


class AccountFace(AccountServiceServicer):
    """Accounts and their statements."""

    def __init__(self, desks: Desks) -> None:
        self._desks = desks

    async def OpenAccounts(
        self, request: accounts_pb.OpenAccountsRequest, context: Any
    ) -> accounts_pb.OpenAccountsResponse:
        user_id = UUID(request.user_id)
        allowed = [d for d in self._desks.values() if request.real or d.rules.kind != "REAL"]
        opened = [(desk, await desk.open_account(user_id)) for desk in allowed]
        accounts = [desk.wire.account(account) for desk, account in opened]
        return accounts_pb.OpenAccountsResponse(accounts=accounts)

    async def ListAccounts(
        self, request: accounts_pb.ListAccountsRequest, context: Any
    ) -> accounts_pb.ListAccountsResponse:
        user_id, key = caller().user_id, caller().key
        accounts = [
            desk.wire.account(account)
            for _, desk in sorted(self._desks.items())
            for account in await desk.book.accounts_of(user_id)
        ]
        if key is not None and key.accounts:
            accounts = [account for account in accounts if account.account_id in key.accounts]
        return accounts_pb.ListAccountsResponse(accounts=accounts)

    async def GetAccount(
        self, request: accounts_pb.GetAccountRequest, context: Any
    ) -> accounts_pb.GetAccountResponse:
        desk, account = await own_account(self._desks, request.account_id)
        return accounts_pb.GetAccountResponse(account=desk.wire.account(account))

    async def RefillDemoAccount(
        self, request: accounts_pb.RefillDemoAccountRequest, context: Any
    ) -> accounts_pb.RefillDemoAccountResponse:
        desk, account_id = locate(self._desks, request.account_id, Reason.ACCOUNT_NOT_FOUND)
        if desk.rules.kind != "DEMO":
            await desk.account(account_id, caller().user_id)
            raise Failure(Reason.REFILL_NOT_ALLOWED, "Only demo accounts are refilled.")
        command = RefillRequest(
            account_id, caller().user_id, UUID(request.request_id), desk.rules.initial
        )
        moved: Moved = await desk.writer.submit(command)
        return accounts_pb.RefillDemoAccountResponse(account=desk.wire.account(moved.account))

    async def ListEntries(
        self, request: accounts_pb.ListEntriesRequest, context: Any
    ) -> accounts_pb.ListEntriesResponse:
        desk, account = await own_account(self._desks, request.account_id)
        entries, following = await entries_page(desk, account.account_id, request)
        return accounts_pb.ListEntriesResponse(entries=entries, next_page_token=following)


class OrderFace(OrderServiceServicer):
    """Proposals and orders."""

    def __init__(self, desks: Desks) -> None:
        self._desks = desks

    async def GetProposal(
        self, request: orders_pb.GetProposalRequest, context: Any
    ) -> orders_pb.GetProposalResponse:
        desk, account = await own_account(self._desks, request.account_id)
        asked = to_proposal_request(request, account.account_id, account.user_id)
        given = desk.propose(asked)
        proposal = _proposal(given, request.instrument, asked.stake.minor_units)
        return orders_pb.GetProposalResponse(proposal=proposal)

    async def PlaceOrder(
        self, request: orders_pb.PlaceOrderRequest, context: Any
    ) -> orders_pb.PlaceOrderResponse:
        began = perf_counter()
        desk, account_id = locate(self._desks, request.account_id, Reason.ACCOUNT_NOT_FOUND)
        command = to_order_request(request, account_id, caller().user_id)
        placed: Placed = await desk.writer.submit(command)
        _note(desk, [placed], command.user_id, began)
        response = orders_pb.PlaceOrderResponse()
        _fill_placed(response, placed)
        return response

    async def PlaceOrders(
        self, request: orders_pb.PlaceOrdersRequest, context: Any
    ) -> orders_pb.PlaceOrdersResponse:
        user_id = caller().user_id
        response = orders_pb.PlaceOrdersResponse()
        results = [response.results.add() for _ in request.orders]
        asked: dict[str, list[tuple[int, OrderRequest]]] = {}
        for number, item in enumerate(request.orders):
            try:
                desk, account_id = locate(self._desks, item.account_id, Reason.ACCOUNT_NOT_FOUND)
                command = to_order_request(item, account_id, user_id)
            except Failure as failure:
                results[number].refused.CopyFrom(refusal(failure))
            else:
                asked.setdefault(desk.name, []).append((number, command))
        await asyncio.gather(
            *(self._place_all(self._desks[name], items, results) for name, items in asked.items())
        )
        return response

    async def _place_all(
        self,
        desk: Desk,
        items: Sequence[tuple[int, OrderRequest]],
        results: Sequence[orders_pb.PlaceOrderResult],
    ) -> None:
        """Place orders of one book, which share their commits, and note each one's result."""
        began = perf_counter()
        answers = await desk.writer.submit_all([command for _, command in items])
        placed = [answer for answer in answers if isinstance(answer, Placed)]
        _note(desk, placed, caller().user_id, began)
        for (number, _), answer in zip(items, answers, strict=True):
            if isinstance(answer, Failure):
                results[number].refused.CopyFrom(refusal(answer))
            else:
                _fill_placed(results[number].placed, answer)

    async def GetOrder(
        self, request: orders_pb.GetOrderRequest, context: Any
    ) -> orders_pb.GetOrderResponse:
        desk, account = await own_account(self._desks, request.account_id)
        book, order_id = to_book_id(request.order_id)
        found = await desk.book.order(account.account_id, order_id) if book == desk.name else None
        if found is None:
            raise Failure(Reason.ORDER_NOT_FOUND, "There is no such order.")
        return orders_pb.GetOrderResponse(order=desk.wire.booked(found))

    async def ListOrders(
        self, request: orders_pb.ListOrdersRequest, context: Any
    ) -> orders_pb.ListOrdersResponse:
        desk, account = await own_account(self._desks, request.account_id)
        condition = order_filter(request.filter, to_range(request))
        if request.request_id:
            condition = condition._replace(request_id=UUID(request.request_id))
        orders, following = await orders_page(desk, account.account_id, condition, request)
        return orders_pb.ListOrdersResponse(orders=orders, next_page_token=following)


class TermsFace(TermsServiceServicer):
    """The terms of each book."""

    def __init__(self, desks: Desks) -> None:
        self._desks = desks

    async def ListTerms(
        self, request: terms_pb.ListTermsRequest, context: Any
    ) -> terms_pb.ListTermsResponse:
        desk = desk_of(self._desks, request.book)
        instrument = parse_filter(request.filter, {"instrument"}).get("instrument")
        after = decode_page_token(request.page_token, str)[0] if request.page_token else ""
        limit = request.page_size or _TERMS
        found = await desk.terms.current(instrument, after, limit)
        following = encode_page_token([found[-1].instrument]) if len(found) == limit else ""
        terms = [terms_message(item) for item in found]
        return terms_pb.ListTermsResponse(terms=terms, next_page_token=following)

    async def UpdateTerms(
        self, request: terms_pb.UpdateTermsRequest, context: Any
    ) -> terms_pb.UpdateTermsResponse:
        desk = desk_of(self._desks, request.book)
        if request.terms.instrument not in desk.market.instruments:
            metadata = {"instrument": request.terms.instrument}
            raise Failure(Reason.INSTRUMENT_NOT_FOUND, "No such instrument.", metadata=metadata)
        asked, by = to_terms(request.terms), by_caller()
        check_terms(asked, desk.rules.currency)
        terms = await desk.writer.submit(SetTerms(asked, by.actor, by=by))
        return terms_pb.UpdateTermsResponse(terms=terms_message(terms))


class AccountEventFace(AccountEventServiceServicer):
    """What happened to an account."""

    def __init__(self, desks: Desks) -> None:
        self._desks = desks

    async def ListAccountEvents(
        self, request: events_pb.ListAccountEventsRequest, context: Any
    ) -> events_pb.ListAccountEventsResponse:
        desk, _ = await own_account(self._desks, request.account_id)
        subject = account_subject(request.account_id)
        limit = request.page_size or _EVENTS
        entries = await desk.journal.read_subject(subject, request.after, limit)
        return events_pb.ListAccountEventsResponse(
            events=to_entries(entries),
            last_sequence=await desk.journal.last_sequence(subject),
            server_time=to_timestamp(desk.market.now()),
        )

    async def WatchAccountEvents(
        self, request: events_pb.WatchAccountEventsRequest, context: Any
    ) -> AsyncIterator[events_pb.WatchAccountEventsResponse]:
        desk, _ = await own_account(self._desks, request.account_id)
        subject, sequence = account_subject(request.account_id), request.after
        await desk.journal.check_reached(subject, sequence)
        while True:
            growth = desk.journal.growth
            if entries := await desk.journal.read_subject(subject, sequence, _WATCH_PAGE):
                yield events_pb.WatchAccountEventsResponse(events=to_entries(entries))
                sequence = entries[-1].sequence
            if len(entries) < _WATCH_PAGE:
                await desk.journal.wait(growth)


def _note(desk: Desk, placed: Sequence[Placed], user_id: UUID, began: float) -> None:
    """Note from where orders were placed, and how long they took to be accepted."""
    desk.origins.note(placed, user_id)
    accepted = (item.booked.order.account_id for item in placed if not item.replay)
    desk.cohorts.note(accepted, perf_counter() - began)


def _fill_placed(response: orders_pb.PlaceOrderResponse, placed: Placed) -> None:
    """Tell the caller what he has."""
    response.order.ParseFromString(placed.message)
    response.replay = placed.replay


def _proposal(given: Offer, instrument: str, stake: int) -> orders_pb.Proposal:
    entry, terms = given.entry, given.terms
    scale = given.instrument.price_scale
    returned = returned_of(stake, terms.payout_bp, Outcome.WIN)
    return orders_pb.Proposal(
        entry_tick=order_tick(
            instrument, scale, entry.number, entry.price, entry.time, entry.source_time
        ),
        payout_bp=terms.payout_bp,
        returned_on_win=money(returned, terms.currency),
        expire_time=to_timestamp(given.expires_at),
        terms_version=terms.version,
        time=to_timestamp(given.opens_at),
    )
