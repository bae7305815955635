"""What a browser gets: the terminal's files, the reference, and the headers that bind it."""

import os
from pathlib import Path

import httpx
import pytest

from tests.service.edge_rest_world import World, running_edge
from tests.service.test_edge_rest_calls import reason_of

pytest_plugins = ["tests.service.edge_rest_fixtures"]
pytestmark = pytest.mark.security

HTML = {"Accept": "text/html,*/*"}
SECRET = "not for the world"


@pytest.fixture
def terminal(tmp_path: Path) -> Path:
    """A built terminal, beside something that is nobody's business."""
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Veritick</title>")
    (folder / "assets" / "index-BxYz12ab.js").write_text("export {}")
    (folder / "favicon.svg").write_text("<svg/>")
    (folder / ".env").write_text(SECRET)
    (tmp_path / "secret.txt").write_text(SECRET)
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    return folder


async def test_pages_files_and_their_caching(rest_world: World, terminal: Path) -> None:
    async with running_edge(rest_world.settings(terminal=terminal)) as rest:
        page = await rest.get("/", headers=HTML)
        deep = await rest.get("/trade/BTCUSD", headers=HTML)
        script = await rest.get("/assets/index-BxYz12ab.js")
        icon = await rest.get("/favicon.svg")
    assert page.text == deep.text == "<!doctype html><title>Veritick</title>"
    assert page.headers["cache-control"] == deep.headers["cache-control"] == "no-cache"
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert script.headers["content-type"].startswith("text/javascript")
    assert icon.headers["content-type"].startswith("image/svg+xml")


async def test_the_app_for_staff_is_another_below_its_own_path(
    rest_world: World, terminal: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "admin"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Staff</title>")
    (folder / "assets" / "index-StAff123.js").write_text("export {}")
    async with running_edge(rest_world.settings(terminal=terminal, admin=folder)) as rest:
        pages = [await rest.get(path, headers=HTML) for path in ("/admin/", "/admin/users/1")]
        moved = await rest.get("/admin", headers=HTML)
        script = await rest.get("/admin/assets/index-StAff123.js")
        elsewhere = await rest.get("/assets/index-StAff123.js")
        page_of_traders = await rest.get("/", headers=HTML)
    assert {page.text for page in pages} == {"<!doctype html><title>Staff</title>"}
    assert (moved.status_code, moved.headers["location"]) == (307, "/admin/")
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert elsewhere.status_code == 404
    assert page_of_traders.text == "<!doctype html><title>Veritick</title>"


async def test_a_missing_script_is_not_answered_with_a_page(
    rest_world: World, terminal: Path
) -> None:
    async with running_edge(rest_world.settings(terminal=terminal)) as rest:
        assert reason_of(await rest.get("/assets/gone-12345678.js"))[0] == 404
        assert reason_of(await rest.post("/trade"))[0] == 405


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "//secret.txt",
        "/..\\secret.txt",
        "/%00/../secret.txt",
        "/link.txt",
        "/.env",
        "/" + "a" * 5_000,
    ],
)
async def test_nothing_outside_the_folder_is_served(
    rest_world: World, terminal: Path, path: str
) -> None:
    async with running_edge(rest_world.settings(terminal=terminal)) as rest:
        raw = httpx.URL(rest.base_url).copy_with(raw_path=path.encode())
        response = await rest.get(raw, headers={"Accept": "*/*"})
    assert response.status_code == 404
    assert SECRET not in response.text


async def test_a_terminal_that_is_not_built_says_how(rest_world: World, tmp_path: Path) -> None:
    for folder in (None, tmp_path / "nowhere"):
        async with running_edge(rest_world.settings(terminal=folder)) as rest:
            page = await rest.get("/", headers=HTML)
        assert page.status_code == 503
        assert "make terminal" in page.text


async def test_data_can_neither_run_nor_be_framed(rest: httpx.AsyncClient) -> None:
    for path in ("/v1/instruments", "/v1/nothing", "/v1/users/me"):
        headers = (await rest.get(path, headers=HTML)).headers
        policy = headers["content-security-policy"]
        assert policy == "default-src 'none'; frame-ancestors 'none'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert headers["x-request-id"]


async def test_every_page_binds_the_browser(rest: httpx.AsyncClient) -> None:
    for path in ("/", "/docs", "/healthz", "/openapi.json", "/nothing"):
        headers = (await rest.get(path, headers=HTML)).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'self'"
        assert "script-src" not in policy
        assert policy["connect-src"] == "'self' ws://127.0.0.1:8081"
        assert policy["frame-ancestors"] == "'none'"
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "camera=()" in headers["permissions-policy"]
        assert "strict-transport-security" not in headers
        assert "server" not in headers
        assert headers["x-request-id"]


async def test_the_reference_stands_alone(rest: httpx.AsyncClient) -> None:
    for path in ("/docs", "/docs/errors"):
        page = await rest.get(path)
        assert page.status_code == 200
        assert "<script" not in page.text
        assert "http://" not in page.text.replace(str(rest.base_url), "")
        assert "https://" not in page.text
    assert 'id="placeOrder"' in (await rest.get("/docs")).text
    assert 'id="MARKET_CLOSED"' in (await rest.get("/docs/errors")).text
    assert (await rest.get("/docs/style.css")).headers["content-type"].startswith("text/css")


async def test_documents_are_json(rest: httpx.AsyncClient) -> None:
    openapi = (await rest.get("/openapi.json")).json()
    assert openapi["openapi"] == "3.1.0"
    asyncapi = await rest.get("/asyncapi.json")
    assert asyncapi.json()["asyncapi"].startswith("3.")


@pytest.mark.parametrize("listen", [None, "127.0.0.1:0"])
async def test_production_shows_metrics_on_their_own_port_only(
    rest_world: World, listen: str | None
) -> None:
    settings = rest_world.settings(mode="production", metrics_listen=listen)
    async with running_edge(settings) as rest:
        assert (await rest.get("/metrics")).status_code == 404


def test_the_terminal_fixture_has_something_to_steal(terminal: Path) -> None:
    assert os.path.realpath(terminal / "link.txt").endswith("secret.txt")
