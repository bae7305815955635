"""Which passwords are accepted."""

import pytest

from services.identity.password import PASSWORD_LENGTH_MIN, normalised, weakness

ADDRESS = "ana.lima@example.com"
SHORT = "must have at least 10 characters"
GUESSED = "is one of the first that anyone would guess"
THE_ADDRESS = "must not be the mail address"


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("", SHORT),
        ("short", SHORT),
        ("ninechars", SHORT),
        ("tencharsok", None),
        ("nine lives and a half", None),
        ("correct horse battery staple", None),
        ("vT9#kq!2mZ", None),
        ("пароль на русском", None),
        ("🙂🙃🦊🐙🌵🎈🧭🪁🧩🎲", None),
        ("my summer in Lisbon", None),
        ("drive 1234 miles home", None),
        (ADDRESS, THE_ADDRESS),
        (ADDRESS.upper(), THE_ADDRESS),
        ("aaaaaaaaaa", GUESSED),
        ("1212121212", GUESSED),
        ("abcabcabcabc", GUESSED),
        ("ABCDabcdABCD", GUESSED),
        ("..........", GUESSED),
        ("1234567890", GUESSED),
        ("0987654321", GUESSED),
        ("01234567890", GUESSED),
        ("123456789a", GUESSED),
        ("abcdefghij", GUESSED),
        ("zyxwvutsrqp", GUESSED),
        ("qwertyuiop", GUESSED),
        ("qwertyuiop123", GUESSED),
        ("qwerty123456", GUESSED),
        ("1q2w3e4r5t", GUESSED),
        ("1qaz2wsx3edc", GUESSED),
        ("asdfghjkl123", GUESSED),
        ("password123", GUESSED),
        ("Password!!!", GUESSED),
        ("P@ssw0rd2026", GUESSED),
        ("passwordpassword", GUESSED),
        ("!!letmein!!", GUESSED),
        ("Let-Me-In-99", GUESSED),
        ("iloveyou1234", GUESSED),
        ("Veritick2026", GUESSED),
        ("administrator", GUESSED),
        ("Summer2026!", GUESSED),
        ("tr4d1ng!!!!", GUESSED),
    ],
)
def test_a_password_is_accepted_or_named_weak(password: str, problem: str | None) -> None:
    assert weakness(normalised(password), ADDRESS) == problem


def test_the_name_before_the_at_sign_is_no_password_either() -> None:
    assert weakness("maximilian.maier", "maximilian.maier@example.com") == THE_ADDRESS


def test_the_same_password_from_two_keyboards_is_one() -> None:
    assert normalised("jose\u0301 \uff50ass") == normalised("jos\u00e9 pass")


def test_length_is_counted_in_characters_not_bytes() -> None:
    assert weakness("ü" * (PASSWORD_LENGTH_MIN - 1), ADDRESS) == SHORT
