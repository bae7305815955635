"""The OpenAPI document is valid, complete, and says what the contract says."""

import json
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from google.api import annotations_pb2
from jsonschema_rs import Draft202012Validator, meta
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

import veritick
from edge.contract import bindings
from edge.rest.openapi import document
from edge.rest.reasons import status_of
from services.kit.reason import Reason

API = document()
FILES = ("export", "readDocument")
"""How the names of calls begin that answer files."""

OPERATIONS = {
    operation["operationId"]: operation
    for verbs in API["paths"].values()
    for operation in verbs.values()
}
SCHEMAS = API["components"]["schemas"]


def every(value: object) -> Iterator[dict[str, Any]]:
    """Yield every object anywhere inside a JSON value."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from every(item)
    elif isinstance(value, list):
        for item in value:
            yield from every(item)


def test_whatever_the_contract_gives_a_route_is_at_the_edge() -> None:
    """A service that is missing in the edge's list would be found by whoever calls it."""
    modules = pkgutil.walk_packages(veritick.__path__, "veritick.")
    services = [
        service
        for module in modules
        if module.name.endswith("_service_pb2")
        for service in import_module(module.name).DESCRIPTOR.services_by_name.values()
    ]
    routed = {
        rpc.full_name
        for service in services
        for rpc in service.methods
        if rpc.GetOptions().HasExtension(annotations_pb2.http)
    }
    assert len(routed) > 50
    assert routed - {binding.rpc.full_name for binding in bindings()} == set()


def test_the_document_is_valid_openapi() -> None:
    OPENAPI_31_VALIDATOR.validate(json.loads(json.dumps(API)))


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_schema_is_valid_json_schema(name: str) -> None:
    meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema"} | SCHEMAS[name])


def test_every_reference_leads_somewhere() -> None:
    references = {item["$ref"] for item in every(API) if "$ref" in item}
    assert references
    assert references <= {f"#/components/schemas/{name}" for name in SCHEMAS}


def test_every_annotated_call_is_there_once() -> None:
    declared = [binding.rpc.name for binding in bindings()]
    named = sorted(name[:1].lower() + name[1:] for name in declared)
    assert sorted(OPERATIONS) == named
    assert len(named) == len(set(named)) > 20


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_operation_is_described_secured_and_says_how_it_fails(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["summary"]
    assert operation["security"]
    assert {"200", "400", "401", "429", "500", "503", "504"} <= set(operation["responses"])
    for status, answer in operation["responses"].items():
        success = "*/*" if name.startswith(FILES) else "application/json"
        kind = success if status == "200" else "application/problem+json"
        assert list(answer["content"]) == [kind]


@pytest.mark.parametrize("path", sorted(API["paths"]))
def test_the_parameters_of_a_path_are_those_in_its_template(path: str) -> None:
    for operation in API["paths"][path].values():
        parameters = operation.get("parameters", ())
        in_path = {item["name"] for item in parameters if item["in"] == "path"}
        assert in_path == set(re.findall(r"{([^}]+)}", path))


def test_paths_differ_in_more_than_the_names_in_them() -> None:
    shapes = [re.sub(r"{[^}]*}", "{}", path) for path in API["paths"]]
    assert len(shapes) == len(set(shapes))
    assert set(API["paths"]["/v1/instruments/{instrument}"]) == {"get", "put"}
    assert "/v1/books/{book}/terms/{instrument}" in API["paths"]


def test_what_is_always_printed_is_required_of_answers_and_only_of_them() -> None:
    money, given = SCHEMAS["Money"], SCHEMAS["MoneyInput"]
    assert money["required"] == ["currencyCode", "minorUnits"]
    assert "additionalProperties" not in money
    assert given["required"] == ["currencyCode"]
    assert given["additionalProperties"] is False
    assert "outcome" not in SCHEMAS["Order"]["required"]


def test_field_rules_become_constraints() -> None:
    request = SCHEMAS["PlaceOrderRequest"]
    assert "accountId" not in request["properties"]
    assert request["required"] == ["requestId", "instrument", "direction", "stake"]
    assert request["properties"]["requestId"]["format"] == "uuid"
    assert request["properties"]["instrument"]["pattern"] == "^[A-Z0-9]{2,20}$"
    assert request["properties"]["minPayoutBp"]["minimum"] == 0
    assert SCHEMAS["LogInRequest"]["properties"]["password"]["format"] == "password"
    validator = Draft202012Validator({"$ref": "#/components/schemas/PlaceOrderRequest"} | API)
    order = {
        "requestId": "0199a1b2-0000-7000-8000-000000000001",
        "instrument": "BTCUSD",
        "direction": "UP",
        "stake": {"currencyCode": "USD", "minorUnits": "1000"},
        "durationSeconds": 10,
    }
    assert validator.is_valid(order)
    assert not validator.is_valid(order | {"expireTime": "2026-11-23T12:00:00Z"})
    assert not validator.is_valid(order | {"colour": "red"})
    assert not validator.is_valid(order | {"direction": "DIRECTION_UNSPECIFIED"})
    assert not validator.is_valid(order | {"stake": {"currencyCode": "dollars"}})


def test_a_number_that_may_not_be_zero_is_required() -> None:
    required = SCHEMAS["InstrumentInput"]["required"]
    assert "maxTickAgeSeconds" in required
    assert "priceScale" not in required


def test_a_request_inside_another_keeps_what_a_path_would_say() -> None:
    assert "accountId" in SCHEMAS["PlaceOrderRequestInput"]["required"]
    assert "accountId" not in SCHEMAS["PlaceOrderRequest"]["properties"]


def test_access_rules_become_security() -> None:
    assert {} in OPERATIONS["logIn"]["security"]
    assert OPERATIONS["listAccounts"]["security"] == [{"bearer": []}, {"cookie": []}]
    assert OPERATIONS["updateTerms"]["security"][0] == {"bearer": ["terms.write"]}


def test_reasons_named_in_a_comment_are_listed_under_their_status() -> None:
    conflict = OPERATIONS["placeOrder"]["responses"]["409"]["description"]
    assert status_of(Reason.INSUFFICIENT_FUNDS) == 409
    assert "`INSUFFICIENT_FUNDS`" in conflict
    assert "`MARKET_CLOSED`" in conflict


def test_events_are_described_for_readers_of_the_socket() -> None:
    assert {"OrderOpened", "OrderSettled", "BalanceChanged", "SessionEnded"} <= set(SCHEMAS)


def test_text_for_readers_of_json_names_fields_as_json_does() -> None:
    texts = [str(item["description"]) for item in every(API) if "description" in item]
    quoted = {name for text in texts for name in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text)}
    assert quoted == set()
