"""Answers that are files: what a stream of `google.api.HttpBody` becomes over HTTP."""

import asyncio

import httpx
import pytest

from tests.service.edge_rest_rpc import BROKEN, SHUT, SLOW
from tests.service.edge_rest_world import ACCOUNT, World
from tests.waiting import PATIENCE_SECONDS

pytest_plugins = ["tests.service.edge_rest_fixtures"]

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
