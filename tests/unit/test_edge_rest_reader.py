"""JSON to messages: everything that protobuf's own mapping writes is read back the same."""

from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st

from edge.contract import bindings
from edge.rest.reader import FAULTS_MAX, Faults, read
from edge.rest.routes import HTTP_BODY
from edge.rest.schema import is_map
from edge.rest.transcoder import parse_json
from services.kit.errors import Failure
from veritick.quotes.v1.instrument_pb2 import Instrument
from veritick.quotes.v1.instrument_service_pb2 import CreateInstrumentRequest
from veritick.quotes.v1.market_data_service_pb2 import ListCandlesRequest, WatchTicksRequest
from veritick.trading.v1.order_service_pb2 import PlaceOrderRequest

REQUESTS = sorted({binding.rpc.input_type.full_name: binding for binding in bindings()}.items())
OUT_OF_RANGE = "must lie between -2147483648 and 2147483647"
NO_TIME = "must be a time such as 2026-01-31T12:00:00Z"
TYPES = [GetMessageClass(binding.rpc.input_type) for _, binding in REQUESTS]

_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
}
_SECONDS = st.integers(-62_135_596_800, 253_402_300_799)
_SPANS = st.integers(0, 315_576_000_000)
_NANOS = st.integers(0, 999_999_999)


def values(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    """Return values that a field may hold."""
    if field.message_type is not None:
        return messages(field.message_type)
    if field.enum_type is not None:
        return st.sampled_from([value.number for value in field.enum_type.values])
    if field.cpp_type in _INTEGERS:
        return _INTEGERS[field.cpp_type]
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.binary(max_size=20)
    return st.booleans() if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL else st.text(max_size=20)


def messages(kind: Any) -> st.SearchStrategy[Message]:
    """Return messages of a type, with any of its fields set."""
    if kind.full_name == "google.protobuf.Timestamp":
        return st.builds(GetMessageClass(kind), seconds=_SECONDS, nanos=_NANOS)
    if kind.full_name == "google.protobuf.Duration":
        return st.builds(GetMessageClass(kind), seconds=_SPANS, nanos=_NANOS)
    given_fields = {
        field.name: st.lists(values(field), max_size=3) if field.is_repeated else values(field)
        for field in kind.fields
        if not is_map(field) and not _is_file(field)
    }
    return st.fixed_dictionaries({}, optional=given_fields).map(
        lambda chosen: GetMessageClass(kind)(**_one_of_each(kind, chosen))
    )


def _is_file(field: FieldDescriptor) -> bool:
    """A file is a body of its own, and never within JSON."""
    return field.message_type is not None and field.message_type.full_name == HTTP_BODY


def _one_of_each(kind: Any, chosen: dict[str, Any]) -> dict[str, Any]:
    """Keep one member of each oneof, as a message itself would."""
    for oneof in kind.oneofs:
        members = [field.name for field in oneof.fields if field.name in chosen]
        for name in members[1:]:
            del chosen[name]
    return chosen


def parsed(value: object, into: Message) -> list[tuple[str, str]]:
    """Read a JSON value into a message; return what is wrong."""
    faults = Faults()
    read(value, into, "", faults)
    return [(fault.field, fault.description) for fault in faults.found]


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.DESCRIPTOR.name)
@given(data=st.data())
def test_what_protobuf_writes_is_read_back(kind: type[Message], data: st.DataObject) -> None:
    message = data.draw(messages(kind.DESCRIPTOR))
    for names in (False, True):
        text = json_format.MessageToJson(message, preserving_proto_field_name=names)
        again = kind()
        assert parsed(parse_json(text.encode()), again) == []
        assert again == message


@pytest.mark.parametrize(
    ("value", "faults"),
    [
        ({"requestId": 1}, [("requestId", "must be a text")]),
        ({"requestId": "\ud800"}, [("requestId", "must be valid Unicode")]),
        ({"colour": "red"}, [("colour", "is not a field of this request")]),
        ({"durationSeconds": 2**31}, [("durationSeconds", OUT_OF_RANGE)]),
        ({"durationSeconds": True}, [("durationSeconds", "must be a whole number")]),
        ({"durationSeconds": "1.0"}, [("durationSeconds", "must be a whole number")]),
        ({"durationSeconds": "\u0661"}, [("durationSeconds", "must be a whole number")]),
        ({"lastSeenTickNumber": 1e300}, [("lastSeenTickNumber", "must be a whole number")]),
        ({"direction": "LEFT"}, [("direction", "must be one of UP, DOWN")]),
        ({"direction": 7}, [("direction", "must be one of UP, DOWN")]),
        ({"direction": True}, [("direction", "must be one of UP, DOWN")]),
        ({"stake": []}, [("stake", "must be an object")]),
        ({"stake": {"minorUnits": {}}}, [("stake.minorUnits", "must be a whole number")]),
        ({"validUntil": "tomorrow"}, [("validUntil", NO_TIME)]),
        ({"validUntil": 0}, [("validUntil", NO_TIME)]),
        (
            {"durationSeconds": 1, "expireTime": "2026-01-31T12:00:00Z"},
            [("expireTime", "cannot be given together with durationSeconds")],
        ),
        (
            {"requestId": "a", "request_id": "b"},
            [("request_id", "cannot be given together with requestId")],
        ),
        ("text", [("", "must be an object")]),
        (None, [("", "must be an object")]),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place(value: object, faults: list[tuple[str, str]]) -> None:
    assert parsed(value, PlaceOrderRequest()) == faults


def test_faults_deep_inside_are_told_with_their_place() -> None:
    windows = [{"openMinute": 0}, {"openMinute": "x"}, None]
    value = {"instrument": {"schedule": {"windows": windows, "holidays": {}}}}
    assert parsed(value, CreateInstrumentRequest()) == [
        ("instrument.schedule.windows[1].openMinute", "must be a whole number"),
        ("instrument.schedule.windows[2]", "must be an object"),
        ("instrument.schedule.holidays", "must be a list"),
    ]
    assert parsed({"instruments": ["EURUSD", None]}, WatchTicksRequest()) == [
        ("instruments[1]", "must be a text")
    ]


def test_only_so_many_faults_are_told() -> None:
    value = {f"field{number}": 1 for number in range(1_000)}
    assert len(parsed(value, Instrument())) == FAULTS_MAX


@pytest.mark.parametrize(("given_number", "number"), [(3, 3), ("3", 3), (3.0, 3), ("-3", -3)])
def test_whole_numbers_come_in_several_forms(given_number: object, number: int) -> None:
    instrument = Instrument()
    assert parsed({"position": given_number, "version": given_number}, instrument) == []
    assert (instrument.position, instrument.version) == (number, number)


def test_null_is_the_same_as_absent() -> None:
    request = ListCandlesRequest()
    assert parsed({"instrument": None, "interval": None, "pageSize": None}, request) == []
    assert request == ListCandlesRequest()


def test_an_empty_object_is_present() -> None:
    request = PlaceOrderRequest()
    assert parsed({"stake": {}}, request) == []
    assert request.HasField("stake")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nul", b"\xff", b'{"a":1,"a":2}', b"[Infinity]", b"[" * 9_999, b"1" * 9_999],
)
def test_text_that_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(Failure, match=r"The body is"):
        parse_json(body)
