"""Answers that are files: what a stream of `google.api.HttpBody` becomes over HTTP."""

import asyncio

import httpx
import pytest

from tests.service.edge_rest_rpc import BROKEN, SHUT, SLOW
from tests.service.edge_rest_world import ACCOUNT, World
from tests.waiting import PATIENCE_SECONDS

pytest_plugins = ["tests.service.edge_rest_fixtures"]

DOCUMENT = "0199a1b2-0000-7000-8000-0000000000d0"
CONTENT = f"/v1/kycDocuments/{DOCUMENT}/content"
BINARY = {"Content-Type": "application/octet-stream"}
EXPORT = f"/v1/accounts/{ACCOUNT}/orders:export"


async def test_the_pieces_of_a_stream_arrive_as_one_file(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    file = await rest.get(EXPORT, headers=rest_world.bearer())
    assert file.status_code == 200
    assert file.content == b"order_id\r\ndemo_1\r\n"
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert file.headers["content-disposition"] == 'attachment; filename="orders--of--2026.csv"'
    assert file.headers["cache-control"] == "no-store"
    assert file.headers["x-content-type-options"] == "nosniff"
    assert "ratelimit" in file.headers


async def test_a_refusal_before_the_first_piece_is_a_problem_document(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    refused = await rest.get(EXPORT, params={"filter": SHUT}, headers=rest_world.bearer())
    assert (refused.status_code, refused.json()["reason"]) == (400, "INVALID_FILTER")
    assert refused.headers["content-type"] == "application/problem+json"
    anonymous = await rest.get(EXPORT)
    assert (anonymous.status_code, anonymous.json()["reason"]) == (401, "UNAUTHENTICATED")


async def test_a_file_that_breaks_off_never_looks_whole(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await rest.get(EXPORT, params={"filter": BROKEN}, headers=rest_world.bearer())


async def test_a_reader_who_leaves_ends_the_call(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    query = {"filter": SLOW}
    async with rest.stream("GET", EXPORT, params=query, headers=rest_world.bearer()) as file:
        assert await anext(file.aiter_bytes()) == b"order_id\r\n"
        assert rest_world.trading.exports_open == 1
    async with asyncio.timeout(PATIENCE_SECONDS):
        while rest_world.trading.exports_open:
            await asyncio.sleep(0.01)


async def test_a_body_that_is_a_file_arrives_as_it_was_sent(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    headers = rest_world.bearer() | BINARY
    for offset, content in ((0, bytes(range(256)) * 4_000), (1_024_000, b'{"not": "JSON')):
        at = {"offset": str(offset)}
        answer = await rest.put(CONTENT, params=at, content=content, headers=headers)
        assert answer.status_code == 200
        assert answer.json()["received"] == str(offset + len(content))
        taken = rest_world.kyc.parts[-1]
        assert (taken.document_id, taken.offset) == (DOCUMENT, offset)
        assert taken.content.data == content


async def test_a_file_larger_than_a_part_is_not_taken(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    headers = rest_world.bearer() | BINARY
    too_large = await rest.put(CONTENT, content=b"x" * 1_048_577, headers=headers)
    assert (too_large.status_code, too_large.json()["reason"]) == (413, "REQUEST_TOO_LARGE")
    assert too_large.json()["metadata"] == {"max_bytes": "1048576"}
    assert rest_world.kyc.parts == []


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data", ""])
async def test_a_file_is_sent_as_bytes_and_nothing_else(
    rest: httpx.AsyncClient, rest_world: World, kind: str
) -> None:
    headers = rest_world.bearer() | {"Content-Type": kind}
    refused = await rest.put(CONTENT, content=b"{}", headers=headers)
    assert (refused.status_code, refused.json()["reason"]) == (415, "INVALID_REQUEST")
    assert refused.headers["accept-post"] == "application/octet-stream"


async def test_the_place_of_a_part_keeps_the_rules_of_the_contract(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    headers = rest_world.bearer() | BINARY
    for offset in ("-1", "8388608", "x"):
        at = {"offset": offset}
        refused = await rest.put(CONTENT, params=at, content=b"x", headers=headers)
        assert (refused.status_code, refused.json()["violations"][0]["field"]) == (400, "offset")
