"""Page tokens and filters: what goes in comes out, and nothing else is believed."""

import base64
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Failure
from services.kit.pages import decode_page_token, encode_page_token, parse_filter
from services.kit.reason import Reason

keys = st.lists(st.text(max_size=40) | st.integers(), min_size=1, max_size=4)


@given(keys)
def test_a_token_gives_back_its_key_as_texts(key: list[str | int]) -> None:
    assert decode_page_token(encode_page_token(key), *[str] * len(key)) == [
        str(part) for part in key
    ]


@given(keys)
def test_a_token_survives_an_address_line(key: list[str | int]) -> None:
    assert set(encode_page_token(key)) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    )


def token_of(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "not a token",
        "é",
        "=",
        "####",
        encode_page_token(["one"]),
        encode_page_token(["one", "two", "three"]),
        token_of({"a": 1, "b": 2}),
        token_of("ab"),
        token_of([1.5, "x"]),
        token_of([None, "x"]),
        token_of([["nested"], "x"]),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    ],
)
def test_what_was_not_issued_for_this_list_is_refused(token: str) -> None:
    with pytest.raises(Failure) as refused:
        decode_page_token(token, str, str)
    assert refused.value.reason is Reason.INVALID_PAGE_TOKEN


@pytest.mark.parametrize("key", [["word"], [""], ["1.5"], [2**63], [-(2**70)]])
def test_a_part_that_is_not_of_its_kind_is_refused(key: list[str | int]) -> None:
    with pytest.raises(Failure) as refused:
        decode_page_token(encode_page_token(key), int)
    assert refused.value.reason is Reason.INVALID_PAGE_TOKEN


@given(st.text(max_size=200))
def test_no_text_makes_it_stumble(token: str) -> None:
    reasons = set()
    with suppress(Failure):
        try:
            decode_page_token(token, str, str)
        except Failure as failure:
            reasons.add(failure.reason)
            raise
    assert reasons <= {Reason.INVALID_PAGE_TOKEN}


FIELDS = {"state", "instrument"}


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("", {}),
        ("   ", {}),
        ("state=OPEN", {"state": "OPEN"}),
        (" state = OPEN ", {"state": "OPEN"}),
        ('state="OPEN"', {"state": "OPEN"}),
        ("state=OPEN AND instrument=EURUSD", {"state": "OPEN", "instrument": "EURUSD"}),
        ("state=a=b", {"state": "a=b"}),
    ],
)
def test_what_a_filter_says(text: str, conditions: dict[str, str]) -> None:
    assert parse_filter(text, FIELDS) == conditions


@pytest.mark.parametrize(
    "text",
    [
        "state",
        "state=",
        "=OPEN",
        "price=1",
        "state=OPEN AND state=CLOSED",
        "state=OPEN AND AND instrument=EURUSD",
        "state=OPEN OR instrument=EURUSD AND x",
    ],
)
def test_a_filter_that_says_nothing_clear_is_refused(text: str) -> None:
    with pytest.raises(Failure) as refused:
        parse_filter(text, FIELDS)
    assert refused.value.reason is Reason.INVALID_FILTER
    assert "instrument, state" in refused.value.message
