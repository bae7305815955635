"""Calls over REST: a message in, a message out, and another attempt only where that is safe."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC
from typing import Generic, TypeVar

import httpx
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from veritick.clock import ServerClock
from veritick.errors import VeritickError, error_of
from veritick.pace import Pace
from veritick.route import HttpRequest, http_request, route_of

R = TypeVar("R", bound=Message)

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Answer(Generic[R]):
    """A response, with the headers that came with it."""

    message: R
    headers: httpx.Headers


class Rest:
    """The REST side of the edge."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        clock: ServerClock,
        pace: Pace,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Speak through `http`, whose base URL is the edge."""
        self._http = http
        self._clock = clock
        self._pace = pace
        self._sleep = sleep

    async def call(
        self, request: Message, response: type[R], token: str | None, *, repeatable: bool = False
    ) -> Answer[R]:
        """Make the call that this request is for; raises VeritickError.

        It is made again, a bounded number of times, when the reason says that it may succeed, and
        either the contract (or `repeatable`) says that making it twice does no harm, or it cannot
        have been carried out.
        """
        route = route_of(request.DESCRIPTOR)
        for attempt in range(1, self._pace.attempts_max + 1):
            try:
                return await self._attempt(request, response, token)
            except VeritickError as error:
                harmless = route.repeatable or repeatable or _not_carried_out(error)
                if not (error.retryable and harmless) or attempt == self._pace.attempts_max:
                    raise
                await self._sleep(self._pace.wait_seconds(attempt, error.retry_after_seconds))
        raise AssertionError("a pace allows at least one attempt")

    async def download(self, request: Message, token: str | None) -> AsyncGenerator[bytes, None]:
        """Yield the pieces of the file that this request is for; raises VeritickError.

        A file that breaks off raises UNAVAILABLE: it is whole only when this ends quietly.
        """
        asked = http_request(request)
        headers = {"authorization": f"Bearer {token}"} if token else {}
        try:
            async with self._http.stream(
                asked.verb, asked.path, params=asked.query or None, headers=headers
            ) as answer:
                if answer.is_error:
                    await answer.aread()
                    retry_after = answer.headers.get("retry-after")
                    raise error_of(answer.status_code, answer.content, retry_after)
                async for piece in answer.aiter_bytes():
                    yield piece
        except httpx.TransportError as error:
            text = f"The file broke off: {error or type(error).__name__}"
            raise VeritickError("UNAVAILABLE", text) from error

    async def _attempt(self, request: Message, response: type[R], token: str | None) -> Answer[R]:
        sent = self._clock.monotonic()
        answer = await self._send(http_request(request), token)
        received = self._clock.monotonic()
        self._clock.saw_date(answer.headers.get("date"), sent, received)
        if answer.is_error:
            raise error_of(answer.status_code, answer.content, answer.headers.get("retry-after"))
        message = decode(answer, response, route_of(request.DESCRIPTOR).response_body)
        if (told := _server_time(message)) is not None:
            self._clock.saw(told.ToDatetime(tzinfo=UTC), sent, received)
        return Answer(message, answer.headers)

    async def _send(self, request: HttpRequest, token: str | None) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        try:
            return await self._http.request(
                request.verb,
                request.path,
                params=request.query or None,
                json=request.body,
                headers=headers,
            )
        except httpx.TransportError as error:
            reason = "DEADLINE_EXCEEDED" if isinstance(error, httpx.ReadTimeout) else "UNAVAILABLE"
            text = f"No answer from {self._http.base_url}: {error or type(error).__name__}"
            delivered = not isinstance(error, _NOT_SENT)
            raise VeritickError(reason, text, delivered=delivered) from error


def decode(answer: httpx.Response, response: type[R], response_body: str) -> R:
    """Return the message of a successful answer; fields that this version lacks are skipped."""
    message = response()
    target = getattr(message, response_body) if response_body else message
    try:
        ParseDict(answer.json(), target, ignore_unknown_fields=True)
    except (ValueError, ParseError) as error:
        text = f"The answer is not a {response.__name__}: {error}"
        raise VeritickError("INTERNAL", text, status=answer.status_code) from error
    if response_body:
        target.SetInParent()
    return message


def _not_carried_out(error: VeritickError) -> bool:
    return not error.delivered or error.reason == "RATE_LIMITED"


def _server_time(message: Message) -> Timestamp | None:
    if "server_time" not in message.DESCRIPTOR.fields_by_name:
        return None
    told: Timestamp = getattr(message, "server_time")  # noqa: B009  not every message has it
    return told if told.seconds else None
