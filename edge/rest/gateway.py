"""Everything below `/v1`: one handler for all RPCs of the contract."""

from __future__ import annotations

import asyncio
import gzip
from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter

import structlog
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from edge.address import Addresses
from edge.rest.files import file_response
from edge.rest.keys import PREFIX, Keys
from edge.rest.limits import Limiter
from edge.rest.maintenance import MaintenanceWatch, is_stopped
from edge.rest.metrics import Observations
from edge.rest.problem import fault_of_ours, problem
from edge.rest.routes import Match, Mismatch, Route, Routes
from edge.rest.session import NOBODY, Caller, Sessions
from edge.rest.transcoder import Transcoder, to_bytes
from edge.rest.upstream import Call, Pieces, Upstream
from services.kit.access import Guard, guard_of
from services.kit.errors import Failure
from services.kit.origin import Origin, told_agent
from services.kit.reason import Reason
from veritick.option.v1.access_pb2 import CostClass

CREDENTIAL = CostClass.Name(CostClass.CREDENTIAL).lower()
_JSON_TYPES = ("application/json",)
_FILE_TYPES = ("application/octet-stream",)
# A client that is still sending when its connection closes would never read why.
_DRAINED_BYTES_MAX = 1024 * 1024
_PACKED_BYTES_MIN = 1_400
_GZIP_LEVEL = 4
_log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large and how slow a request may be."""

    body_bytes: int
    file_bytes: int
    """For a body that is a file, or a part of one."""

    body_seconds: float


@dataclass(frozen=True, slots=True)
class _Operation:
    """A route with all that is prepared for it."""

    route: Route
    transcoder: Transcoder
    call: Call
    pieces: Pieces
    cost: str
    public: bool
    guard: Guard
    stopped: bool
    """Whether maintenance stops it."""


class _Refused(Exception):
    """A refusal that HTTP words more precisely than its reason: another status, or headers."""

    def __init__(self, failure: Failure, status: HTTPStatus | None, **headers: str) -> None:
        super().__init__(failure.message)
        self.failure, self.status = failure, status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Gateway:
    """The ASGI application of all routes."""

    def __init__(
        self,
        routes: Routes,
        upstream: Upstream,
        sessions: Sessions,
        keys: Keys,
        limiter: Limiter,
        maintenance: MaintenanceWatch,
        addresses: Addresses,
        bounds: Bounds,
    ) -> None:
        """Prepare every route."""
        self._routes = routes
        self._sessions = sessions
        self._keys = keys
        self._limiter = limiter
        self._maintenance = maintenance
        self._addresses = addresses
        self._bounds = bounds
        self._metrics = Observations()
        self._operations = {id(route): _operation(route, upstream) for route in routes.all}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        started = perf_counter()
        found = self._routes.find(request.method, _raw_path(scope))
        if isinstance(found, Mismatch):
            response, name = _mismatch(request.method, found), "unknown"
        else:
            operation = self._operations[id(found.route)]
            response, name = await self._answer(operation, found, request), operation.route.rpc.path
        self._metrics.observe(name, response.status_code, perf_counter() - started)
        await response(scope, receive, send)

    async def _answer(self, operation: _Operation, match: Match, request: Request) -> Response:
        """Answer a call, or say why not. Nothing else in the edge turns exceptions into answers."""
        headers: dict[str, str] = {}
        try:
            caller = await self._caller(operation, request)
            headers |= await self._admit(operation.cost, caller, request)
            if operation.stopped:
                self._maintenance.require_none(caller.principal)
            # The service judges again. Here nobody's body is read who would be refused anyway.
            operation.guard(caller.principal)
            return await self._call(operation, match, request, caller, headers)
        except _Refused as refused:
            headers |= refused.headers
            return problem(refused.failure, status=refused.status, headers=headers)
        except Failure as failure:
            violations = operation.transcoder.as_client_sees(failure.violations)
            return problem(failure, violations=violations, headers=headers)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        except Exception as error:  # noqa: BLE001  the one place that answers for faults of ours
            _log.error("request failed", route=operation.route.rpc.path, exc_info=error)
            return problem(fault_of_ours(), headers=headers)

    async def _caller(self, operation: _Operation, request: Request) -> Caller:
        """Return who calls. A bad token counts as a call of nobody's, by its address."""
        try:
            authorization = request.headers.get("authorization", "")
            if authorization.startswith(PREFIX):
                if not self._keys.knows(authorization):
                    # Before identity is bothered: whoever guesses is counted by his address.
                    await self._admit(CREDENTIAL, NOBODY, request)
                return await self._program(authorization, self._address(request))
            return self._sessions.caller(request.headers, request.method, public=operation.public)
        except Failure:
            await self._admit(operation.cost, NOBODY, request)
            raise

    async def _program(self, authorization: str, address: str) -> Caller:
        """Return who calls with a key, by another token where the one that is held counts no more.

        Failures: those of ExchangeApiKey.
        """
        try:
            return self._sessions.bearer(await self._keys.token(authorization, address))
        except Failure:
            if not self._keys.knows(authorization):
                raise
        self._keys.forget(authorization)
        return self._sessions.bearer(await self._keys.token(authorization, address))

    async def _admit(self, cost: str, caller: Caller, request: Request) -> dict[str, str]:
        try:
            return await self._limiter.admit(cost, self._counted(cost, caller, request))
        except Failure as failure:
            exhausted = self._limiter.exhausted(cost)
            raise _Refused(failure, None, **exhausted) from failure

    def _counted(self, cost: str, caller: Caller, request: Request) -> str:
        """Return under which name a call counts: credentials by address, whoever calls.

        The keys of a user count together, or more of them would be a way around the limit; and
        apart from the user, who is not to be kept out by his own programs.
        """
        who = caller.principal
        if cost != CREDENTIAL and who.kind == "user":
            return f"user:{who.id}" if who.key is None else f"keys:{who.id}"
        return "address:" + self._address(request)

    def _address(self, request: Request) -> str:
        peer = request.client.host if request.client else None
        return self._addresses.of(peer, request.headers.getlist("x-forwarded-for"))

    async def _call(
        self,
        operation: _Operation,
        match: Match,
        request: Request,
        caller: Caller,
        headers: dict[str, str],
    ) -> Response:
        transcoder = operation.transcoder
        body = await self._body(request, operation.route)
        query = request.scope["query_string"].decode("latin-1")
        message = transcoder.request(match.values, query, body)
        self._sessions.fill(message, caller)
        agent = told_agent(request.headers.get("user-agent", ""))
        origin = Origin(self._address(request), agent, caller.device)
        if operation.route.answers_file:
            pieces = operation.pieces(message, caller.token, origin)
            return await file_response(operation.route, pieces, headers)
        try:
            response = await operation.call(message, caller.token, origin)
        except Failure as failure:
            violations = transcoder.as_client_sees(failure.violations)
            refusal = problem(failure, violations=violations, headers=headers)
            return _with_cookies(refusal, self._sessions.end(message, caller, failure))
        cookies = [
            *self._sessions.keep(response, caller),
            *self._sessions.end(message, caller, None),
        ]
        answer = transcoder.answer(response)
        if answer.replay:
            headers["Idempotent-Replayed"] = "true"
        headers["Cache-Control"] = "no-store"
        body = to_bytes(answer.shown)
        if len(body) >= _PACKED_BYTES_MIN and "gzip" in request.headers.get("accept-encoding", ""):
            body = await asyncio.to_thread(gzip.compress, body, _GZIP_LEVEL)
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        shown = Response(body, media_type="application/json", headers=headers)
        return _with_cookies(shown, cookies)

    async def _body(self, request: Request, route: Route) -> bytes:
        """Return a body within the bounds. Failures are those of HTTP: 408, 413, 415."""
        bound = self._bounds.file_bytes if route.takes_file else self._bounds.body_bytes
        body, size = bytearray(), 0
        try:
            async with asyncio.timeout(self._bounds.body_seconds):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size <= bound:
                        body += chunk
                    elif size > bound + _DRAINED_BYTES_MAX:
                        break
        except TimeoutError as error:
            failure = Failure(Reason.DEADLINE_EXCEEDED, "The body did not arrive in time.")
            raise _Refused(failure, HTTPStatus.REQUEST_TIMEOUT, Connection="close") from error
        if size > bound:
            raise _too_large(bound)
        if body and route.has_body:
            _require_type(request.headers, _FILE_TYPES if route.takes_file else _JSON_TYPES)
        return bytes(body)


def _operation(route: Route, upstream: Upstream) -> _Operation:
    transcoder = Transcoder(route)
    return _Operation(
        route,
        transcoder,
        upstream.call(route, transcoder.response),
        upstream.pieces(route, transcoder.response),
        CostClass.Name(route.rpc.cost or CostClass.WRITE).lower(),
        route.rpc.access.WhichOneof("people") == "public",
        guard_of(route.rpc.access),
        is_stopped(route),
    )


def _mismatch(verb: str, found: Mismatch) -> Response:
    if not found.allowed:
        return problem(Failure(Reason.UNIMPLEMENTED, "There is nothing at this path."))
    known = [*found.allowed, *(["HEAD"] if "GET" in found.allowed else []), "OPTIONS"]
    allow = {"Allow": ", ".join(known)}
    if verb == "OPTIONS":
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=allow)
    failure = Failure(Reason.UNIMPLEMENTED, f"This path does not know {verb[:20]}.")
    return problem(failure, status=HTTPStatus.METHOD_NOT_ALLOWED, headers=allow)


def _too_large(bound: int) -> _Refused:
    failure = Failure(
        Reason.REQUEST_TOO_LARGE,
        f"The body is larger than {bound} bytes.",
        metadata={"max_bytes": str(bound)},
    )
    return _Refused(failure, None, Connection="close")


def _require_type(headers: Headers, types: tuple[str, ...]) -> None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in types:
        failure = Failure(Reason.INVALID_REQUEST, f"The body must be {types[0]}.")
        accept = {"Accept_Post": types[0]}
        raise _Refused(failure, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, **accept)
    if headers.get("content-encoding", "identity").lower() != "identity":
        failure = Failure(Reason.INVALID_REQUEST, "The body must not be compressed.")
        raise _Refused(failure, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


def _with_cookies(response: Response, cookies: list[str]) -> Response:
    for cookie in cookies:
        response.headers.append("Set-Cookie", cookie)
    return response


def _raw_path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.decode("latin-1").partition("?")[0]
