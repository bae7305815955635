"""Which call a verb and a path mean."""

import pytest

from edge.contract import bindings
from edge.rest.routes import Match, Mismatch, Routes
from edge.rest.template import parse

ROUTES = Routes(bindings())


@pytest.mark.parametrize(
    ("verb", "path", "call", "values"),
    [
        ("GET", "/v1/users/me", "GetProfile", ()),
        ("GET", "/v1/accounts", "ListAccounts", ()),
        ("GET", "/v1/accounts/demo_1", "GetAccount", ("demo_1",)),
        ("HEAD", "/v1/accounts/demo_1", "GetAccount", ("demo_1",)),
        ("POST", "/v1/accounts/demo_1:refill", "RefillDemoAccount", ("demo_1",)),
        ("POST", "/v1/sessions:refresh", "RefreshSession", ()),
        ("GET", "/v1/accounts/a/orders/b", "GetOrder", ("a", "b")),
        ("GET", "/v1/accounts/a/orders:export", "ExportOrders", ("a",)),
        ("PUT", "/v1/instruments/EURUSD", "UpdateInstrument", ("EURUSD",)),
        ("PUT", "/v1/books/demo/terms/EURUSD", "UpdateTerms", ("demo", "EURUSD")),
        ("GET", "/v1/instruments/EUR%2FUSD", "GetInstrument", ("EUR/USD",)),
        ("GET", "/v1/instruments/EUR%3AUSD", "GetInstrument", ("EUR:USD",)),
        ("GET", "/v1/instruments/%C3%A9", "GetInstrument", ("é",)),
    ],
)
def test_a_path_means_a_call(verb: str, path: str, call: str, values: tuple[str, ...]) -> None:
    match = ROUTES.find(verb, path)
    assert isinstance(match, Match)
    assert (match.route.binding.rpc.name, match.values) == (call, values)


@pytest.mark.parametrize(
    ("verb", "path", "allowed"),
    [
        ("GET", "/v1/nothing", set()),
        ("GET", "/v1/accounts/", set()),
        ("GET", "/v1/accounts/a/", set()),
        ("GET", "/v1//accounts", set()),
        ("GET", "/v1/accounts/a:close", set()),
        ("GET", "/v1/instruments/%ff", set()),
        ("GET", "/v2/accounts", set()),
        ("GET", "/v1/accounts/a:refill", {"POST"}),
        ("DELETE", "/v1/instruments/EURUSD", {"GET", "PUT"}),
        ("PUT", "/v1/instruments", {"GET", "POST"}),
    ],
)
def test_other_paths_mean_nothing_or_another_verb(verb: str, path: str, allowed: set[str]) -> None:
    mismatch = ROUTES.find(verb, path)
    assert isinstance(mismatch, Mismatch)
    assert set(mismatch.allowed) == allowed


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("/v1/{name=shelves/*/books/*}", "/v1/shelves/1/books/2", ("shelves/1/books/2",)),
        ("/v1/{name=shelves/*}:move", "/v1/shelves/1:move", ("shelves/1",)),
        ("/v1/{name=shelves/*}:move", "/v1/shelves/1", None),
        ("/v1/{path=**}", "/v1/a/b/c", ("a/b/c",)),
        ("/v1/*/orders", "/v1/demo/orders", ()),
        ("/v1/a.b", "/v1/aXb", None),
    ],
)
def test_templates_match_as_google_describes(
    template: str, path: str, values: tuple[str, ...] | None
) -> None:
    assert parse(template).match(path) == values


@pytest.mark.parametrize("text", ["", "v1/a", "/v1/{", "/v1/{}", "/v1/{a}{", "/v1/{a=b c}", "/v 1"])
def test_a_malformed_template_is_found_at_start_up(text: str) -> None:
    with pytest.raises(ValueError, match="not a path template"):
        parse(text)


def test_the_more_literal_template_wins() -> None:
    assert parse("/v1/users/me").weight < parse("/v1/users/{user}").weight
    assert parse("/v1/{a}/b").weight < parse("/v1/{a=**}").weight
