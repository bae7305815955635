"""The Python client's streams, on a real socket that fails as real ones do."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from websockets.asyncio.server import ServerConnection, serve

from tests.waiting import PATIENCE_SECONDS
from veritick import Veritick, VeritickError
from veritick.identity.v1.user_pb2 import Session
from veritick.pace import Pace
from veritick.trading.v1.order_pb2 import Order

ACCOUNT_ID = "demo_01990000-0000-7000-8000-000000000001"
CHANNEL = f"account:{ACCOUNT_ID}"
IMPATIENT = Pace(first_seconds=0.001, longest_seconds=0.001)

Visit = Callable[["Edge", ServerConnection], Awaitable[None]]


def settled(sequence: int) -> dict[str, Any]:
    order = {"orderId": f"demo_{sequence}", "state": "CLOSED", "outcome": "WIN"}
    return {"sequence": str(sequence), "type": "order.settled.v1", "data": {"order": order}}


@dataclass
class Edge:
    """A journal, served over REST and a socket; each visit of the socket follows its own script."""

    visits: Sequence[Visit]
    last_sequence: int = 0
    url: str = ""
    tickets: int = 0
    greetings: list[list[dict[str, Any]]] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    refuse_tickets: str = ""

    def rest(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.path == "/v1/streamTickets":
            if self.refuse_tickets:
                return httpx.Response(401, json={"reason": self.refuse_tickets})
            self.tickets += 1
            body = {"ticket": f"ticket-{self.tickets}", "url": self.url}
            return httpx.Response(200, json=body)
        if request.url.path.endswith("/events"):
            after = int(request.url.params.get("after", "0"))
            entry_list = [
                {"sequence": str(n), "type": "order.settled.v1", "event": _event(n)}
                for n in range(after + 1, self.last_sequence + 1)
            ]
            page = {"events": entry_list[:3], "lastSequence": str(self.last_sequence)}
            return httpx.Response(200, json=page)
        return httpx.Response(200, json={"orderId": "demo_7", "state": "OPEN"})

    async def visit(self, connection: ServerConnection) -> None:
        count = len(self.greetings)
        self.greetings.append([])
        await self.visits[min(count, len(self.visits) - 1)](self, connection)

    async def heard(self, connection: ServerConnection, frames: int) -> None:
        for _ in range(frames):
            self.greetings[-1].append(json.loads(await connection.recv()))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Veritick]:
        async with serve(self.visit, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            self.url = f"ws://127.0.0.1:{port}/v1/stream"
            transport = httpx.MockTransport(self.rest)
            yield Veritick(
                "http://edge.test", stream_url=self.url, transport=transport, pace=IMPATIENT
            )


def _event(sequence: int) -> dict[str, Any]:
    return {"orderSettled": settled(sequence)["data"]}


def sends(*frames: dict[str, Any], greetings: int = 1, hang_up: bool = True) -> Visit:
    async def visit(edge: Edge, connection: ServerConnection) -> None:
        await edge.heard(connection, greetings)
        for frame in frames:
            if "." in frame["type"]:  # what the socket tells is in the journal
                edge.last_sequence = max(edge.last_sequence, int(frame.get("sequence", 0)))
            await connection.send(json.dumps({"channel": CHANNEL, **frame}))
        if not hang_up:
            await connection.wait_closed()

    return visit


async def read(veritick: Veritick, count: int, after: int = 0) -> list[int]:
    found: list[int] = []
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        aclosing(veritick.events(ACCOUNT_ID, after=after)) as events,
    ):
        async for entry in events:
            assert entry.event.order_settled.order.order_id == f"demo_{entry.sequence}"
            found.append(entry.sequence)
            if len(found) == count:
                break
    return found


async def test_the_past_comes_from_the_journal_and_the_present_from_the_socket() -> None:
    subscribed = {"type": "subscribed", "sequence": "7"}
    edge = Edge([sends(subscribed, settled(8), settled(9), hang_up=False)], last_sequence=7)

    async with edge.open() as veritick:
        assert await read(veritick, 9) == list(range(1, 10))

    subscription = {"op": "subscribe", "channel": CHANNEL, "after": "7"}
    assert edge.greetings == [[subscription]]


async def test_a_lost_connection_loses_and_repeats_nothing() -> None:
    edge = Edge(
        [sends(settled(1), settled(2)), sends(settled(3)), sends(settled(4), hang_up=False)]
    )

    async with edge.open() as veritick:
        assert await read(veritick, 4) == [1, 2, 3, 4]

    assert [greeting[0]["after"] for greeting in edge.greetings] == ["0", "2", "3"]


async def test_what_is_told_twice_is_yielded_once() -> None:
    edge = Edge([sends(settled(1), settled(1), settled(2), settled(1), settled(3), hang_up=False)])

    async with edge.open() as veritick:
        assert await read(veritick, 3) == [1, 2, 3]


@pytest.mark.parametrize(
    "sign",
    [
        settled(4),
        {"type": "gap", "sequence": "4", "data": {"after": "1"}},
        {"type": "heartbeat", "sequence": "4", "data": {}},
    ],
    ids=["a sequence that jumps", "a gap", "a heartbeat that is ahead"],
)
async def test_what_the_socket_leaves_out_is_fetched_from_the_journal(sign: dict[str, Any]) -> None:
    async def lossy(edge: Edge, connection: ServerConnection) -> None:
        await edge.heard(connection, 1)
        await connection.send(json.dumps({"channel": CHANNEL, **settled(1)}))
        edge.last_sequence = 4
        await connection.send(json.dumps({"channel": CHANNEL, **sign}))
        await connection.wait_closed()

    edge = Edge([lossy, sends(settled(5), hang_up=False)])

    async with edge.open() as veritick:
        assert await read(veritick, 5) == [1, 2, 3, 4, 5]


async def test_a_sequence_that_the_account_never_reached_ends_the_stream() -> None:
    """The platform was restored from a backup: to wait for it to get there would lose events."""
    edge = Edge([sends({"type": "gap", "sequence": "2", "data": {"after": "50"}})], last_sequence=2)

    async with edge.open() as veritick:
        with pytest.raises(VeritickError) as refused:
            await read(veritick, 1, after=50)

    assert (refused.value.reason, refused.value.retryable) == ("SEQUENCE_AHEAD", False)
    assert refused.value.metadata == {"last_sequence": "2"}


async def test_other_channels_and_unknown_events_do_not_disturb() -> None:
    strange = {"sequence": "2", "type": "tournament.won.v3", "data": {"prize": "cake"}}
    other = {**settled(2), "channel": "account:demo_other"}
    edge = Edge([sends(settled(1), other, strange, settled(3), hang_up=False)])

    async with edge.open() as veritick, asyncio.timeout(PATIENCE_SECONDS):
        types = []
        async for entry in veritick.events(ACCOUNT_ID):
            types.append(entry.type)
            if entry.sequence == 3:
                break

    assert types == ["order.settled.v1", "tournament.won.v3", "order.settled.v1"]


async def test_a_signed_in_reader_shows_a_fresh_ticket_at_each_connection() -> None:
    edge = Edge([sends(settled(1), greetings=2), sends(settled(2), greetings=2, hang_up=False)])

    async with edge.open() as veritick:
        sign_in(veritick)
        await read(veritick, 2)

    tickets = [greeting[0] for greeting in edge.greetings]
    assert tickets == [{"op": "authenticate", "ticket": f"ticket-{n}"} for n in (1, 2)]


async def test_a_stream_ends_by_what_another_attempt_would_not_cure() -> None:
    error = {"type": "error", "data": {"reason": "UNKNOWN_CHANNEL", "message": "No such."}}
    edge = Edge([sends(error)])

    async with edge.open() as veritick:
        with pytest.raises(VeritickError, match=r"UNKNOWN_CHANNEL: No such\."):
            await read(veritick, 1)

    assert len(edge.greetings) == 1


async def test_a_stream_ends_with_its_session() -> None:
    edge = Edge([sends(settled(1))], refuse_tickets="SESSION_ENDED")

    async with edge.open() as veritick:
        sign_in(veritick)
        with pytest.raises(VeritickError, match="SESSION_ENDED"):
            await read(veritick, 1)


WRONG = json.dumps({**settled(1), "channel": CHANNEL, "data": {"order": {"payoutBp": "cake"}}})


@pytest.mark.parametrize("text", ["not json", "[1]", '"text"', WRONG])
async def test_a_server_that_talks_nonsense_is_an_error_of_ours(text: str) -> None:
    async def nonsense(edge: Edge, connection: ServerConnection) -> None:
        await connection.send(text)
        await connection.wait_closed()

    async with Edge([nonsense]).open() as veritick:
        with pytest.raises(VeritickError, match="MALFORMED_FRAME"):
            await read(veritick, 1)


async def test_leaving_the_loop_closes_the_socket() -> None:
    closed = asyncio.Event()

    async def wait(edge: Edge, connection: ServerConnection) -> None:
        await connection.send(json.dumps({"channel": CHANNEL, **settled(1)}))
        await connection.wait_closed()
        closed.set()

    async with Edge([wait]).open() as veritick, asyncio.timeout(PATIENCE_SECONDS):
        await read(veritick, 1)
        await closed.wait()


async def test_ticks_go_on_over_a_lost_connection_and_none_comes_twice() -> None:
    def tick(number: int) -> dict[str, Any]:
        price = {"mantissa": str(number * 100), "scale": 2}
        data = {"instrument": "BTCUSD", "number": str(number), "price": price}
        return {"channel": "ticks:BTCUSD", "type": "ticks.v1", "data": {"ticks": [data]}}

    edge = Edge([sends(tick(1), tick(2)), sends(tick(2), tick(5), hang_up=False)])

    async with edge.open() as veritick, asyncio.timeout(PATIENCE_SECONDS):
        numbers = []
        async for received in veritick.ticks("BTCUSD"):
            numbers.append(received.number)
            if len(numbers) == 3:
                break

    assert numbers == [1, 2, 5]


async def test_waiting_for_a_settlement_begins_before_looking_at_the_order() -> None:
    edge = Edge([sends(settled(6), settled(7), hang_up=False)], last_sequence=5)
    order = Order(order_id="demo_7", account_id=ACCOUNT_ID, state=Order.OPEN)

    async with edge.open() as veritick, asyncio.timeout(PATIENCE_SECONDS):
        closed = await veritick.settled(order)

    assert closed.outcome == Order.WIN
    paths = [request.url.path.rpartition("/")[2] for request in edge.requests]
    assert paths.index("events") < paths.index("demo_7")


def sign_in(veritick: Veritick) -> None:
    session = Session(access_token="access")
    session.expire_time.FromJsonString("2100-01-01T00:00:00Z")
    veritick.resume(session)
