"""When two spellings of a mail address are one user, and what is no address at all."""

from email.utils import getaddresses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.letter import Mail
from services.identity.mailers import composed
from services.identity.user import ADDRESS_KEY_LENGTH_MAX, address_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ana@example.com", "Ana@Example.COM"),
        ("ana@example.com", "\uff41\uff4e\uff41@example.com"),
        ("ana@example.com", "ana@\uff45xample.com"),
        ("jos\u00e9@example.com", "jose\u0301@example.com"),
        ("STRASSE@example.com", "straße@example.com"),
        ("office@example.com", "oﬃce@example.com"),
        ("Σίσυφος@example.com", "ΣΊΣΥΦΟΣ@example.com"),
    ],
)
def test_spellings_of_one_address(one: str, other: str) -> None:
    assert address_key(one) == address_key(other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ana@example.com", "anna@example.com"),
        ("ana@example.com", "ana+trading@example.com"),
        ("ana.b@example.com", "anab@example.com"),
        ("jose@example.com", "jos\u00e9@example.com"),
        ("ana@example.com", "ana@example.org"),
    ],
)
def test_different_addresses(one: str, other: str) -> None:
    assert address_key(one) != address_key(other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ana",
        "ana@",
        "@example.com",
        "ana@example",
        "ana@@example.com",
        "ana@exa mple.com",
        "ana\x00@example.com",
        "ana\x7f@example.com",
        "ana\u200b@example.com",
        "ana\u00ad@example.com",
        "\u202eana@example.com",
        "ana@example.com\n",
        "ana\uff20b@example.com",
        "ana\u3000b@example.com",
        "ana@example..com",
        "ana@.example.com",
        ".ana@example.com",
        "ana..b@example.com",
        "ana,ben@example.com",
        "ana;ben@example.com",
        "ana:ben@example.com",
        "<ana>@example.com",
        "<>b^@example.com",
        "(ana)@example.com",
        '"ana"@example.com',
        "ana\\b@example.com",
        "ana@[127.0.0.1]",
        "ana@example.com,example.org",
        "ana@example.=?utf-8?q?com?=",
        "\ufdfa" * 30 + "@example.com",
    ],
)
def test_what_is_no_address(text: str) -> None:
    assert address_key(text) is None


@given(st.text(max_size=254))
def test_a_key_is_short_printable_and_its_own_key(name: str) -> None:
    key = address_key(name + "@example.com")
    if key is not None:
        assert len(key) <= ADDRESS_KEY_LENGTH_MAX
        assert key.isprintable()
        assert address_key(key) == key


@given(
    st.text("ab.,:;<>()[]\"\\'=?_-+é", min_size=1, max_size=12), st.sampled_from(("x.io", "é.io"))
)
def test_a_letter_to_an_address_goes_there_alone(name: str, domain: str) -> None:
    address = f"{name}@{domain}"
    if address_key(address) is not None:
        message = composed(Mail(address, "Hello", "You.\n"), "Veritick <no-reply@example.com>")
        recipients = getaddresses([str(message["To"])])
        assert [recipient for _, recipient in recipients] == [address]
        assert message.as_bytes()
