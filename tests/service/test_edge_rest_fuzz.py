"""Requests that Schemathesis makes up from the OpenAPI document, good and bad, over real HTTP."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import grpc
import pytest
import schemathesis
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    positive_data_acceptance,
    response_schema_conformance,
)

from edge.contract import bindings
from edge.rest.openapi import document
from services.kit.process import Face
from tests.service.edge_rest_world import running_edge, running_world
from tests.waiting import PATIENCE_SECONDS

pytest_plugins = ["tests.service.edge_rest_fixtures"]
pytestmark = pytest.mark.security

CHECKS: list[Any] = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
]
PATIENTLY = settings(max_examples=10, suppress_health_check=list(HealthCheck))
BEYOND_OPENAPI = {
    "GET /v1/accounts/{accountId}/proposal",
    "PUT /v1/instruments/{instrument}",
    "PUT /v1/books/{book}/terms/{instrument}",
}
"""Calls with parameters that exclude one another, or that the body must repeat."""

GENEROUS = {"per_second": 10_000, "burst": 100_000}
CLASSES = ("read", "write", "trade", "credential", "export")


def every_rpc() -> Face:
    """Return services that check everything the contract says, and answer an empty message."""
    methods: dict[str, dict[str, Any]] = {}
    for binding in bindings():
        rpc = binding.rpc
        methods.setdefault(rpc.containing_service.full_name, {})[rpc.name] = empty_answer(rpc)

    def add(_servicer: object, server: Any) -> None:
        for service, handlers in methods.items():
            handler = grpc.method_handlers_generic_handler(service, handlers)
            server.add_generic_rpc_handlers((handler,))

    return add, object()


def empty_answer(rpc: MethodDescriptor) -> Any:
    """Return the handler of an RPC that answers nothing in particular."""
    request, response = GetMessageClass(rpc.input_type), GetMessageClass(rpc.output_type)

    async def answer(_request: Message, _context: Any) -> Message:
        return response()

    async def stream(_request: Message, _context: Any) -> AsyncIterator[Message]:
        yield response()

    if rpc.server_streaming:
        return grpc.unary_stream_rpc_method_handler(
            stream, request.FromString, response.SerializeToString
        )
    return grpc.unary_unary_rpc_method_handler(
        answer, request.FromString, response.SerializeToString
    )


@pytest.fixture(scope="module")
def served(rest_keys: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The URL of an edge that runs in a thread of its own, and the header of one who may all."""
    ready: Queue[tuple[str, dict[str, str]]] = Queue()
    loop, done = asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with running_world(rest_keys, [every_rpc()]) as world:
            allowances = dict.fromkeys(CLASSES, GENEROUS)
            async with running_edge(world.settings(allowances=allowances)) as rest:
                staff = world.bearer("instruments.write", "terms.write")
                ready.put((str(rest.base_url), staff))
                await done.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    yield ready.get(timeout=PATIENCE_SECONDS)
    loop.call_soon_threadsafe(done.set)
    thread.join()
    loop.close()


API = schemathesis.openapi.from_dict(document())
OPERATIONS = [result.ok() for result in API.get_all_operations() if isinstance(result, Ok)]


def test_every_call_is_tried() -> None:
    assert len(OPERATIONS) == len(list(bindings()))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_whatever_is_asked_the_answer_is_as_documented(
    operation: Any, served: tuple[str, dict[str, str]]
) -> None:
    url, staff = served

    @PATIENTLY
    @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    def well_formed(case: Any) -> None:
        case.call_and_validate(base_url=url, checks=checks, headers=staff, timeout=PATIENCE_SECONDS)

    @PATIENTLY
    @given(case=operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def malformed(case: Any) -> None:
        case.call_and_validate(base_url=url, checks=CHECKS, headers=staff, timeout=PATIENCE_SECONDS)

    checks = CHECKS
    if operation.label not in BEYOND_OPENAPI:
        checks = [*CHECKS, positive_data_acceptance]
    well_formed()
    if operation.body or any(operation.iter_parameters()):
        malformed()
