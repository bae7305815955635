"""What OpenAPI says of values, where JSON has another form for them than the contract."""

import base64
import re

import pytest

from edge.rest.schema import Schemas
from veritick.identity.v1.api_key_service_pb2 import CreateApiKeyRequest

PUBLIC_KEY = CreateApiKeyRequest.DESCRIPTOR.fields_by_name["public_key"]


def fits(text: str) -> bool:
    return bool(re.search(Schemas([]).field(PUBLIC_KEY, "input")["pattern"], text))


@pytest.mark.parametrize(
    ("size", "allowed"),
    [(0, True), (1, True), (2, True), (3, True), (31, True), (32, True), (33, False)],
)
@pytest.mark.parametrize("padded", [True, False])
def test_bytes_are_base64_of_at_most_so_many(size: int, *, allowed: bool, padded: bool) -> None:
    text = base64.b64encode(bytes(size)).decode()

    assert fits(text if padded else text.rstrip("=")) is allowed


def test_what_is_no_base64_does_not_fit() -> None:
    assert not any(fits(text) for text in ("A", "AAAAA", "AA?A", "="))
