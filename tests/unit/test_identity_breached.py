"""A list of breached passwords is searched where it lies."""

import hashlib
from contextlib import nullcontext
from pathlib import Path

import pytest

from services.identity.breached import BreachedPasswords
from services.identity.strength import Strength
from services.kit.errors import Failure


def listed(folder: Path, *passwords: str, ending: str = "\n") -> Path:
    """Write a list in the form of Have I Been Pwned."""
    digests = sorted(hashlib.sha1(text.encode()).hexdigest().upper() for text in passwords)
    file = folder / "breached.txt"
    file.write_text(ending.join(f"{digest}:{n * 37 + 1}" for n, digest in enumerate(digests)))
    return file


@pytest.mark.parametrize("count", [1, 2, 3, 50, 1000])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_every_listed_password_is_found_and_no_other(
    tmp_path: Path, count: int, ending: str
) -> None:
    passwords = [f"correct horse {number}" for number in range(count)]
    breached = BreachedPasswords(listed(tmp_path, *passwords, ending=ending))
    assert all(password in breached for password in passwords)
    assert not any(f"{password}!" in breached for password in passwords)


@pytest.mark.parametrize("content", ["", "hunter2\n", "<html>" * 20])
def test_what_is_no_such_list_is_refused_at_the_start(tmp_path: Path, content: str) -> None:
    file = tmp_path / "list"
    file.write_text(content)
    with pytest.raises(ValueError, match=r"empty file|SHA-1"):
        BreachedPasswords(file)


@pytest.mark.parametrize(
    ("password", "accepted"),
    [
        ("jennifer1985", False),
        ("manchester", False),
        ("soso123aljg", False),
        ("Liverp00l10", False),
        ("example1985", False),
        ("veritickveritick1", False),
        ("nine lives and a half", True),
        ("vT9#kq!2mZ", True),
        ("пароль на русском", True),
        ("🙂🙃🦊🐙🌵🎈🧭🪁🧩🎲", True),
        ("4@8({[<369&#!1/|0$5+7%2" * 11, True),
    ],
)
def test_what_leaks_most_is_known_without_a_list(password: str, *, accepted: bool) -> None:
    with nullcontext() if accepted else pytest.raises(Failure, match="first that anyone"):
        Strength().require(password, "ana.lima@example.com")


def test_a_breached_password_is_too_weak_however_long(tmp_path: Path) -> None:
    strength = Strength(BreachedPasswords(listed(tmp_path, "a long and leaked passphrase")))
    with pytest.raises(Failure, match="known from a breach"):
        strength.require("a long and leaked passphrase", "ana@example.com")
    strength.require("a long and unknown passphrase", "ana@example.com")
