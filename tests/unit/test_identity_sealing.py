"""Sealed texts: read by whoever has the key and the name, and by nobody else, whole or not."""

import os
from collections.abc import Callable

import pytest

from services.identity.sealing import KEY_BYTES, Damaged, seal, unseal

KEY, OTHER = os.urandom(KEY_BYTES), os.urandom(KEY_BYTES)
CHUNK = 64 * 1024
HEAD = 4 + 7
SEALED_CHUNK = CHUNK + 16


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_what_was_sealed_is_read_again(size: int) -> None:
    text = os.urandom(size)
    sealed = seal(KEY, text, "a", os.urandom)
    assert unseal(KEY, sealed, "a") == text
    # A few bytes stand in any noise by chance; sixteen do not.
    assert size < 16 or text[:64] not in sealed


def test_two_seals_of_one_text_share_nothing() -> None:
    one, other = (seal(KEY, b"x" * 100, "a", os.urandom) for _ in range(2))
    assert one[4:] != other[4:]
    assert one[HEAD:] != other[HEAD:]


def _cut(sealed: bytes) -> bytes:
    return sealed[:-SEALED_CHUNK]


def _without_first(sealed: bytes) -> bytes:
    return sealed[:HEAD] + sealed[HEAD + SEALED_CHUNK :]


def _swapped(sealed: bytes) -> bytes:
    first, second = HEAD + SEALED_CHUNK, HEAD + 2 * SEALED_CHUNK
    return sealed[:HEAD] + sealed[first:second] + sealed[HEAD:first] + sealed[second:]


def _flipped(sealed: bytes) -> bytes:
    return sealed[:-1] + bytes([sealed[-1] ^ 1])


@pytest.mark.parametrize(
    "hurt",
    [_cut, _without_first, _swapped, _flipped, lambda s: s[:5], lambda s: b"", lambda s: s + b"0"],
)
def test_what_was_touched_is_not_read(hurt: Callable[[bytes], bytes]) -> None:
    sealed = seal(KEY, os.urandom(3 * CHUNK), "a", os.urandom)
    with pytest.raises(Damaged):
        unseal(KEY, hurt(sealed), "a")


@pytest.mark.parametrize(("key", "name"), [(OTHER, "a"), (KEY, "b")], ids=["key", "name"])
def test_another_key_or_name_reads_nothing(key: bytes, name: str) -> None:
    with pytest.raises(Damaged):
        unseal(key, seal(KEY, b"text", "a", os.urandom), name)
