"""What every service's server does around every call, seen by its callers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub
from structlog.testing import capture_logs

from services.kit.channels import Channels, failure_of, service_config
from services.kit.clock import ManualClock, utc
from services.kit.database import CommitUnknown, DatabaseUnavailable
from services.kit.errors import Failure, Violation
from services.kit.leader import LeadershipLost
from services.kit.principal import caller
from services.kit.process import Application, serving
from services.kit.reason import Reason
from services.kit.request_id import current_request_id
from services.kit.settings import ServiceSettings
from services.kit.tokens import Keyring
from services.local.keys import ensure_keys
from tests.service.kit_rpc import USER, Server, bearer, nothing, refusal, running_server
from tests.waiting import PATIENCE_SECONDS
from veritick.journal.v1.account_event_service_pb2 import WatchAccountEventsRequest
from veritick.journal.v1.account_event_service_pb2_grpc import AccountEventServiceStub
from veritick.trading.v1.account_service_pb2 import ListAccountsRequest, OpenAccountsRequest
from veritick.trading.v1.terms_service_pb2 import ListTermsRequest, UpdateTermsRequest
from veritick.trading.v1.terms_service_pb2_grpc import TermsServiceStub

NOON = utc(2026, 11, 23, 12)
DEMO = ListTermsRequest(book="demo")
UNAUTHENTICATED, DENIED = Reason.UNAUTHENTICATED, Reason.PERMISSION_DENIED
SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    ensure_keys(folder)
    return folder


@pytest.fixture
async def server(keys: Path) -> AsyncIterator[Server]:
    async with running_server(keys, ManualClock(NOON)) as server:
        yield server


async def test_the_handler_knows_the_caller_and_the_next_one_is_somebody_else(
    server: Server,
) -> None:
    server.answer = lambda: f"{caller().kind} {caller().id}"
    token = bearer(server.user_token())
    first = await server.terms.ListTerms(DEMO, metadata=token)
    second = await server.terms.ListTerms(DEMO)
    assert (first.next_page_token, second.next_page_token) == (f"user {USER}", "anonymous ")


async def test_a_missing_permission_is_named(server: Server) -> None:
    request = UpdateTermsRequest(book="demo")
    call = server.terms.UpdateTerms(request, metadata=bearer(server.user_token()))
    assert (await refusal(call)).metadata == {"permission": "terms.write"}


async def test_access_is_checked_before_the_fields(server: Server) -> None:
    assert (await refusal(server.terms.UpdateTerms(UpdateTermsRequest()))).reason is UNAUTHENTICATED


async def test_each_broken_field_rule_is_named_by_its_path(server: Server) -> None:
    request = UpdateTermsRequest(book="d" * 41)
    request.terms.instrument = "btc"
    request.terms.stake_min.currency_code = "usd"
    token = bearer(server.user_token("terms.write"))
    failure = await refusal(server.terms.UpdateTerms(request, metadata=token))
    assert failure.reason is Reason.INVALID_REQUEST
    paths = [violation.field for violation in failure.violations]
    assert {"book", "terms.stake_min.currency_code"} <= set(paths)
    assert "must have at most 40 characters" in [v.description for v in failure.violations]


@pytest.mark.parametrize(
    ("error", "reason", "code"),
    [
        (Failure(Reason.BOOK_NOT_FOUND, "No."), Reason.BOOK_NOT_FOUND, "NOT_FOUND"),
        (DatabaseUnavailable("secret host"), Reason.UNAVAILABLE, "UNAVAILABLE"),
        (LeadershipLost("secret"), Reason.UNAVAILABLE, "UNAVAILABLE"),
        (CommitUnknown("secret"), Reason.OUTCOME_UNKNOWN, "UNAVAILABLE"),
        (TimeoutError("secret"), Reason.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
        (ValueError("secret"), Reason.INTERNAL, "INTERNAL"),
        (KeyError("secret"), Reason.INTERNAL, "INTERNAL"),
    ],
)
async def test_what_a_handler_raises_reaches_the_caller_as_its_reason(
    server: Server, error: Exception, reason: Reason, code: str
) -> None:
    async def fail() -> None:
        raise error

    server.behave = fail
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await server.accounts.ListAccounts(
            ListAccountsRequest(), metadata=bearer(server.user_token())
        )
    told = str(raised.value.trailing_metadata()) + str(raised.value.details())
    assert raised.value.code().name == code
    assert "secret" not in told
    assert failure_of(raised.value).reason is reason


async def test_a_fault_of_ours_is_logged_under_the_id_that_the_caller_is_told(
    server: Server,
) -> None:
    async def fail() -> None:
        raise ZeroDivisionError("by nought")

    server.behave = fail
    with capture_logs() as logs:
        failure = await refusal(
            server.terms.ListTerms(DEMO, metadata=(("x-request-id", "request-of-mine"),))
        )
    assert failure.metadata == {"request_id": "request-of-mine"}
    assert [type(log["exc_info"]) for log in logs if log["event"] == "call failed"] == [
        ZeroDivisionError
    ]


async def test_a_failure_arrives_with_everything_it_says(server: Server) -> None:
    sent = Failure(
        Reason.UNAVAILABLE,
        "Later.",
        metadata={"part": "book"},
        violations=[Violation("stake.minor_units", "must be at least 1")],
        retry_after=timedelta(milliseconds=1500),
    )

    async def fail() -> None:
        raise sent

    server.behave = fail
    request = OpenAccountsRequest(user_id=str(USER))
    token = bearer(server.service_token("identity"))
    got = await refusal(server.accounts.OpenAccounts(request, metadata=token))
    assert (got.reason, got.message, got.metadata) == (sent.reason, sent.message, sent.metadata)
    assert (got.violations, got.retry_after) == (sent.violations, sent.retry_after)


async def test_a_deadline_ends_the_handler(server: Server) -> None:
    ended = asyncio.Event()

    async def linger() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()

    server.behave = linger
    failure = await refusal(server.terms.ListTerms(DEMO, timeout=1))
    assert failure.reason is Reason.DEADLINE_EXCEEDED
    async with asyncio.timeout(PATIENCE_SECONDS):
        await ended.wait()


async def test_a_request_id_is_kept_when_well_formed_and_travels_on(server: Server) -> None:
    onward = server.channels("identity").to("trading", server.address)
    seen: list[str] = []

    async def call_on() -> None:
        seen.append(current_request_id())
        if len(seen) == 1:
            await TermsServiceStub(onward).ListTerms(DEMO)

    server.behave = call_on
    await server.terms.ListTerms(DEMO, metadata=(("x-request-id", "0123-abcd.efgh:1"),))
    assert seen == ["0123-abcd.efgh:1"] * 2
    await onward.close()


@pytest.mark.parametrize("given", ["short", "x" * 81, "with blanks in", 'quote"quote"'])
async def test_a_malformed_request_id_is_replaced(server: Server, given: str) -> None:
    server.answer = current_request_id
    response = await server.terms.ListTerms(DEMO, metadata=(("x-request-id", given),))
    assert response.next_page_token != given
    assert len(response.next_page_token) == 36


async def test_a_channel_speaks_for_its_service_unless_a_user_speaks(server: Server) -> None:
    channel = server.channels("identity").to("trading", server.address)
    stub = TermsServiceStub(channel)
    server.answer = lambda: f"{caller().kind} {caller().id}"
    own = await stub.ListTerms(DEMO)
    users = await stub.ListTerms(DEMO, metadata=bearer(server.user_token()))
    assert (own.next_page_token, users.next_page_token) == ("service identity", f"user {USER}")
    await channel.close()


def test_a_channel_repeats_only_what_is_declared_repeatable() -> None:
    policy = json.loads(service_config("trading"))["methodConfig"][0]
    repeated = {(name["service"].rpartition(".")[2], name["method"]) for name in policy["name"]}
    assert ("TermsService", "ListTerms") in repeated
    assert ("BookService", "SettleOrders") in repeated
    assert ("TermsService", "UpdateTerms") not in repeated
    assert policy["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]


async def test_a_channel_gives_up_after_its_deadline(server: Server) -> None:
    server.behave = asyncio.Event().wait
    channels = Channels(server.keyring("operator"), server.clock, deadline_seconds=0.3)
    async with channels.to("trading", server.address) as channel:
        failure = await refusal(TermsServiceStub(channel).ListTerms(DEMO))
    assert failure.reason is Reason.DEADLINE_EXCEEDED


async def test_a_peer_that_is_not_there_is_unavailable_at_once(keys: Path) -> None:
    async with running_server(keys, ManualClock(NOON)) as server:
        channel = server.channels("operator").to("trading", server.address)
    async with asyncio.timeout(PATIENCE_SECONDS):
        failure = await refusal(TermsServiceStub(channel).ListTerms(DEMO))
    assert failure.reason is Reason.UNAVAILABLE
    await channel.close()


async def test_health_follows_readiness(keys: Path) -> None:
    ready = False
    async with running_server(keys, ManualClock(NOON), lambda: ready) as server:
        stub: Any = HealthStub(server.channel)
        for ready, status in ((False, NOT_SERVING), (True, SERVING), (False, NOT_SERVING)):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (await stub.Check(HealthCheckRequest())).status != status:
                    await asyncio.sleep(0.02)
            assert ready is (status == SERVING)


async def test_reflection_lists_what_is_served(server: Server) -> None:
    request = ServerReflectionRequest(list_services="")
    stub: Any = ServerReflectionStub(server.channel)
    call = stub.ServerReflectionInfo(iter([request]))
    response = await call.read()
    assert {service.name for service in response.list_services_response.service} == {
        "grpc.channelz.v1.Channelz",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        "veritick.journal.v1.AccountEventService",
        "veritick.trading.v1.AccountService",
        "veritick.trading.v1.TermsService",
    }


async def test_an_unknown_method_is_unimplemented(server: Server) -> None:
    method: Any = server.channel.unary_unary("/veritick.trading.v1.TermsService/Nothing")
    assert (await refusal(method(b""))).reason is Reason.UNIMPLEMENTED


async def test_a_stop_lets_calls_in_flight_end(keys: Path) -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await release.wait()

    running = running_server(keys, ManualClock(NOON))
    server = await running.__aenter__()
    server.behave = work
    server.answer = lambda: "done"
    channel = grpc.aio.insecure_channel(server.address)
    call = asyncio.ensure_future(TermsServiceStub(channel).ListTerms(DEMO))
    await begun.wait()
    stopping = asyncio.create_task(running.__aexit__(None, None, None))
    await asyncio.sleep(0.1)
    release.set()
    response = await call
    assert response.next_page_token == "done"
    await stopping
    with pytest.raises(grpc.aio.AioRpcError):
        await TermsServiceStub(channel).ListTerms(DEMO, timeout=2)
    await channel.close()


async def test_a_stop_waits_for_no_call_that_streams(keys: Path) -> None:
    begun = asyncio.Event()

    async def nothing_happens() -> None:
        begun.set()
        await asyncio.Event().wait()

    async with running_server(keys, ManualClock(NOON), drain_seconds=300) as server:
        server.behave = nothing_happens
        channel = grpc.aio.insecure_channel(server.address)
        watched = AccountEventServiceStub(channel).WatchAccountEvents(
            WatchAccountEventsRequest(account_id=f"demo_{USER}"),
            metadata=bearer(server.user_token()),
        )
        told = asyncio.ensure_future(refusal(watched.read()))
        await begun.wait()
    assert (await told).reason is Reason.UNAVAILABLE
    await channel.close()


@pytest.mark.parametrize("how", ["returns", "raises"])
async def test_a_task_that_ends_fails_the_process(keys: Path, how: str) -> None:
    async def task() -> None:
        if how == "raises":
            raise ValueError("a fault")

    application = Application(keyring=Keyring.load(keys, None), tasks={"task": task})
    settings = ServiceSettings(mode="development", drain_seconds=0)
    async with (
        serving("trading", settings, application) as running,
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        await running.failed.wait()


async def test_tasks_end_with_the_process(keys: Path) -> None:
    ended = asyncio.Event()

    async def task() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with suppress(asyncio.CancelledError):
        async with running_server(keys, ManualClock(NOON), task=task) as server:
            assert server.behave is nothing
    assert ended.is_set()
