"""The AsyncAPI document says what the socket says."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest

from edge.stream import frame
from edge.stream.asyncapi import document
from edge.stream.event import from_payload
from edge.stream.neighbours import unknown_channel
from veritick.event.v1.event_pb2 import Event

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
STANDARD = (
    Path(__file__)
    .parents[2]
    .joinpath("clients/node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json")
)
KINDS = [field.name for field in Event.DESCRIPTOR.oneofs[0].fields]


@pytest.fixture(scope="module")
def standard() -> jsonschema_rs.Validator:
    """What the makers of AsyncAPI say a document of version 3.0.0 looks like."""
    return jsonschema_rs.validator_for(orjson.loads(STANDARD.read_bytes()))


def test_the_document_is_one_of_asyncapi_3(standard: jsonschema_rs.Validator) -> None:
    standard.validate(document())


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("asyncapi", "3"),
        ("info", {"title": "no version"}),
        ("channels", {"stream": {"address": 7}}),
        ("operations", {"ask": {"action": "shout", "channel": {"$ref": "#/channels/stream"}}}),
    ],
)
def test_a_document_that_is_none_is_noticed(
    standard: jsonschema_rs.Validator, part: str, value: Any
) -> None:
    assert not standard.is_valid(document() | {part: value})


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    if isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_reference_leads_somewhere() -> None:
    whole = document()
    found = list(references(whole))
    assert found
    for reference in found:
        node: Any = whole
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def validate(text: bytes) -> None:
    said = orjson.loads(text)
    whole = document()
    payload = whole["components"]["messages"][said["type"]]["payload"]
    jsonschema_rs.validate({**payload, "components": whole["components"]}, said)


@pytest.mark.parametrize(
    "said",
    [
        frame.authenticated("u"),
        frame.subscribed("instruments", 3),
        frame.unsubscribed("instruments"),
        frame.gap("instruments", 2, 9),
        frame.heartbeat("instruments", 2, NOW, None),
        frame.heartbeat("instruments", 2, NOW, NOW),
        frame.pong(NOW),
        frame.error(unknown_channel("x"), "x"),
        frame.error(unknown_channel("x")),
    ],
)
def test_what_the_socket_says_is_as_documented(said: bytes) -> None:
    validate(said)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_event_is_as_documented(kind: str) -> None:
    event = Event()
    getattr(event, kind).SetInParent()
    name = kind.replace("_", ".") + ".v1"
    data = from_payload(1, name, event.SerializeToString()).data
    validate(frame.event(frame.event_prefix("user:x"), 1, name, data))


def test_a_frame_that_is_not_as_documented_is_noticed() -> None:
    with pytest.raises(jsonschema_rs.ValidationError):
        validate(b'{"type":"gap","channel":"x","sequence":7}')
