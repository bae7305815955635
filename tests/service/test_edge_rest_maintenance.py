"""Under maintenance the edge takes no orders; all can be read, and staff try what they mended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from services.kit.wire import to_timestamp
from tests.service.edge_rest_rpc import PASSWORD
from tests.service.edge_rest_world import ACCOUNT, World, order, running_edge
from tests.waiting import eventually
from veritick.identity.v1.maintenance_service_pb2 import Maintenance

pytest_plugins = ["tests.service.edge_rest_fixtures"]

ORDERS = f"/v1/accounts/{ACCOUNT}/orders"


async def buy(rest: httpx.AsyncClient, headers: dict[str, str]) -> httpx.Response:
    return await rest.post(ORDERS, json=order(), headers=headers)


async def until_status(rest: httpx.AsyncClient, world: World, status: int) -> httpx.Response:
    """Buy until the edge has heard."""
    answers = [await buy(rest, world.bearer())]

    async def heard() -> bool:
        answers.append(await buy(rest, world.bearer()))
        return answers[-1].status_code == status

    await eventually(heard)
    return answers[-1]


@pytest.fixture
async def rest(rest_world: World) -> AsyncIterator[httpx.AsyncClient]:
    """An edge that counts no orders."""
    settings = rest_world.settings(allowances={"trade": {"per_second": 1e5, "burst": 100_000}})
    async with running_edge(settings) as client:
        yield client


async def test_orders_are_refused_until_it_is_over(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    rest_world.switch.now = Maintenance(active=True, note="Back soon.")
    refused = await until_status(rest, rest_world, 503)
    bought = len(rest_world.trading.orders)
    assert (await buy(rest, rest_world.bearer())).status_code == 503
    problem = refused.json()
    assert (problem["reason"], problem["metadata"]) == ("MAINTENANCE", {"note": "Back soon."})
    assert problem["retryable"] is False
    assert refused.headers["retry-after"] == "60"
    refill = f"/v1/accounts/{ACCOUNT}:refill"
    assert (await rest.post(refill, json={}, headers=rest_world.bearer())).status_code == 503
    assert len(rest_world.trading.orders) == bought

    rest_world.switch.now = Maintenance(active=False)
    await until_status(rest, rest_world, 200)
    assert len(rest_world.trading.orders) == bought + 1


async def test_what_does_not_change_money_goes_on(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    rest_world.switch.now = Maintenance(active=True)
    await until_status(rest, rest_world, 503)
    headers = rest_world.bearer()
    for path in ("/v1/instruments", f"/v1/accounts/{ACCOUNT}", "/v1/users/me", "/v1/maintenance"):
        assert (await rest.get(path, headers=headers)).status_code == 200
    credentials = {"email": "trader@example.com", "password": PASSWORD}
    assert (await rest.post("/v1/users", json=credentials)).status_code == 200
    assert (await rest.post("/v1/sessions", json=credentials)).status_code == 200


async def test_staff_pass(rest: httpx.AsyncClient, rest_world: World) -> None:
    rest_world.switch.now = Maintenance(active=True)
    await until_status(rest, rest_world, 503)
    assert (await buy(rest, rest_world.bearer("maintenance.write"))).status_code == 200


@pytest.mark.parametrize(("minutes", "seconds"), [(10, 600), (600, 3600), (-5, 60)])
async def test_when_to_come_back_is_told_within_reason(
    rest: httpx.AsyncClient, rest_world: World, minutes: int, seconds: int
) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=minutes)
    rest_world.switch.now = Maintenance(active=True, end_time=to_timestamp(end))
    refused = await until_status(rest, rest_world, 503)
    assert seconds // 2 <= int(refused.headers["retry-after"]) <= seconds
    told = refused.json()["metadata"]["end_time"]
    assert datetime.fromisoformat(told) == end
