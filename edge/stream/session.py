"""One socket's conversation: what its client asks, and what it is answered."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random

import structlog
from websockets.exceptions import ConnectionClosed

from edge.stream import frame
from edge.stream.allowance import Allowance
from edge.stream.channel import Channel, JournalChannel, parse_channel
from edge.stream.connection import SESSION_ENDED, StreamConnection
from edge.stream.journals import Interrupted, Journals
from edge.stream.market import Market
from edge.stream.metrics import REFUSED, SUBSCRIPTIONS
from edge.stream.neighbours import unknown_channel
from edge.stream.tickets import Bearer, Tickets
from edge.stream.topic import Topic
from services.kit.clock import Clock
from services.kit.contract import reason_rule
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.revocations import Revocations

_POLICY_VIOLATION = 1008
_KNOWN_WITHIN_SECONDS = 2.0
_RETRY_SECONDS = 0.25
_RETRY_SECONDS_MAX = 5.0
_log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may ask of one socket."""

    subscriptions_max: int = 100
    frames_burst: int = 250
    frames_per_second: float = 50
    errors_burst: int = 20
    errors_per_second: float = 0.2
    user_sockets_max: int = 20


class Users:
    """How many sockets each user has here."""

    def __init__(self) -> None:
        self._sockets: dict[str, int] = {}

    def enter(self, user_id: str, sockets_max: int) -> bool:
        """Count one more socket of a user; False when there are as many as may be."""
        sockets = self._sockets.get(user_id, 0)
        if sockets >= sockets_max:
            return False
        self._sockets[user_id] = sockets + 1
        return True

    def leave(self, user_id: str) -> None:
        """Count one socket less."""
        self._sockets[user_id] -= 1
        if not self._sockets[user_id]:
            del self._sockets[user_id]


@dataclass(frozen=True, slots=True)
class Hubs:
    """Where frames come from, and who checks who asks."""

    journals: Journals
    market: Market
    tickets: Tickets
    clock: Clock
    random: Random
    revocations: Revocations
    users: Users = field(default_factory=Users)


class Subscription:
    """A channel that a socket follows, or is about to."""

    def __init__(self, channel: Channel, after: int | None) -> None:
        self.channel = channel
        self.after = after
        """What the socket has already; None: it wants nothing of the past."""
        self.opening: asyncio.Task[None] | None = None
        self.topic: Topic | None = None
        self.open = False

    @property
    def revoked(self) -> bool:
        """Whether its owner has withdrawn it since."""
        return self.topic is not None and self.topic.revoked


class Session:
    """Answers one client until it leaves."""

    def __init__(self, connection: StreamConnection, hubs: Hubs, limits: Limits) -> None:
        self._connection = connection
        self._hubs = hubs
        self._limits = limits
        self._bearer: Bearer | None = None
        self._until_left = ExitStack()
        self._subscriptions: dict[str, Subscription] = {}
        now = hubs.clock.monotonic()
        self._frames = Allowance(limits.frames_burst, limits.frames_per_second, now)
        self._errors = Allowance(limits.errors_burst, limits.errors_per_second, now)

    async def run(self) -> None:
        """Answer frames until the socket closes."""
        try:
            async for text in self._connection:
                if not self._connection.ending:
                    await self._handle(text)
        except ConnectionClosed:
            pass
        finally:
            self._leave()

    async def _handle(self, text: str | bytes) -> None:
        if not self._frames.take(self._hubs.clock.monotonic()):
            self._refuse(Failure(Reason.RATE_LIMITED, "Too many frames."))
            self._connection.end(_POLICY_VIOLATION, "too many frames")
            return
        try:
            await self._answer(frame.parse_request(text))
        except Failure as failure:
            self._refuse(failure)
        # What is answered counts as sent: a client that asks without reading waits for itself.
        await self._connection.writable()

    async def _answer(self, request: frame.Request) -> None:
        match request:
            case frame.Ping():
                self._connection.deliver(frame.pong(self._hubs.clock.now()))
            case frame.Subscribe(channel, after):
                self._subscribe(channel, after)
            case frame.Unsubscribe(channel):
                self._unsubscribe(channel)
                self._connection.deliver(frame.unsubscribed(channel))
            case frame.Authenticate(ticket):
                await self._authenticate(ticket)

    # Who it is.

    async def _authenticate(self, ticket: str) -> None:
        bearer = await self._hubs.tickets.redeem(ticket)
        await self._hubs.revocations.until_known(_KNOWN_WITHIN_SECONDS)
        self._hubs.revocations.check(bearer.principal())
        if self._bearer is None:
            if not self._hubs.users.enter(bearer.user_id, self._limits.user_sockets_max):
                raise Failure(Reason.RATE_LIMITED, "This user has too many sockets open.")
            self._bearer = bearer
            watched = self._hubs.revocations.watched(bearer.session_id)
            self._until_left.enter_context(watched).add_done_callback(self._end)
        elif self._bearer != bearer:
            raise Failure(Reason.TICKET_INVALID, "This socket belongs to another session.")
        self._connection.deliver(frame.authenticated(bearer.user_id))

    def _end(self, _: object) -> None:
        self._connection.end(SESSION_ENDED, "session ended")

    # What it follows.

    def _subscribe(self, name: str, after: int | None) -> None:
        channel = parse_channel(name)
        if channel is None or not self._may_ask(channel):
            raise _about(name, unknown_channel(name))
        subscription = self._subscriptions.get(name)
        if subscription and subscription.revoked:
            self._unsubscribe(name)
        elif subscription:
            self._confirm(subscription)
            return
        if len(self._subscriptions) >= self._limits.subscriptions_max:
            raise _about(name, _too_many(self._limits.subscriptions_max))
        subscription = self._subscriptions[name] = Subscription(channel, after)
        SUBSCRIPTIONS.inc()
        subscription.opening = asyncio.create_task(self._open(subscription))

    def _confirm(self, subscription: Subscription) -> None:
        """Answer a second subscription; one that is still opening will be answered anyway."""
        if subscription.open:
            sequence = self._sequence(subscription)
            self._connection.deliver(frame.subscribed(subscription.channel.name, sequence))

    def _sequence(self, subscription: Subscription) -> int:
        channel = subscription.channel
        if isinstance(channel, JournalChannel):
            return (subscription.topic and subscription.topic.sequencer.last) or 0
        return self._hubs.market.sequence(channel)

    async def _open(self, subscription: Subscription) -> None:
        """Follow a channel; while its owner is away, say so once and try again."""
        attempt = 0
        try:
            while not await self._tried(subscription, attempt):
                delay = min(_RETRY_SECONDS * 2 ** min(attempt, 10), _RETRY_SECONDS_MAX)
                await asyncio.sleep(delay * self._hubs.random.uniform(0.5, 1.0))
                attempt += 1
        except Failure as failure:
            self._drop(subscription)
            self._refuse(_about(subscription.channel.name, failure))
        except ConnectionClosed:
            self._drop(subscription)

    async def _tried(self, subscription: Subscription, attempt: int) -> bool:
        try:
            await self._follow(subscription)
        except Failure as failure:
            if isinstance(failure, Interrupted):
                subscription.after = failure.after
            if not reason_rule(failure.reason).retryable:
                raise
            if attempt == 0:
                about = _about(subscription.channel.name, failure)
                self._connection.deliver(frame.error(about, subscription.channel.name))
            return False
        subscription.open = True
        return True

    async def _follow(self, subscription: Subscription) -> None:
        channel, user_id = subscription.channel, self._bearer.user_id if self._bearer else ""
        if isinstance(channel, JournalChannel):
            subscription.topic = await self._hubs.journals.follow(
                channel, user_id, subscription.after, self._connection
            )
        else:
            await self._hubs.market.follow(channel, self._connection)

    def _unsubscribe(self, name: str) -> None:
        if subscription := self._subscriptions.get(name):
            self._drop(subscription)
            self._close(subscription)

    def _close(self, subscription: Subscription) -> None:
        """Stop following, or stop beginning to."""
        channel = subscription.channel
        if not subscription.open:
            if subscription.opening:
                subscription.opening.cancel()
        elif subscription.topic:
            self._hubs.journals.unfollow(subscription.topic, self._connection)
        elif not isinstance(channel, JournalChannel):
            self._hubs.market.unfollow(channel, self._connection)

    def _drop(self, subscription: Subscription) -> None:
        if self._subscriptions.pop(subscription.channel.name, None):
            SUBSCRIPTIONS.dec()

    def _may_ask(self, channel: Channel) -> bool:
        if not isinstance(channel, JournalChannel) or not channel.private:
            return True
        return self._bearer is not None and self._bearer.may_read(channel)

    # How it ends.

    def _refuse(self, failure: Failure) -> None:
        REFUSED.labels(failure.reason.value).inc()
        self._connection.deliver(frame.error(failure, failure.metadata.get("channel")))
        if not self._errors.take(self._hubs.clock.monotonic()):
            self._connection.end(_POLICY_VIOLATION, "too many errors")

    def _leave(self) -> None:
        for name in list(self._subscriptions):
            self._unsubscribe(name)
        self._until_left.close()
        if self._bearer:
            self._hubs.users.leave(self._bearer.user_id)


def _about(channel: str, failure: Failure) -> Failure:
    """Return a failure that names the channel it is about."""
    metadata = {**failure.metadata, "channel": channel[:100]}
    return Failure(failure.reason, failure.message, metadata=metadata)


def _too_many(count: int) -> Failure:
    return Failure(
        Reason.TOO_MANY_SUBSCRIPTIONS,
        "This socket carries as many channels as it may.",
        metadata={"max": str(count)},
    )
