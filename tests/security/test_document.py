"""What docs/security.md names is there."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.security

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "security.md").read_text()
NAMED = sorted(set(re.findall(r"`((?:tests|services|edge|proto)/[\w./]+)`", DOCUMENT)))


def test_something_is_named() -> None:
    assert len(NAMED) > 40


@pytest.mark.parametrize("path", NAMED)
def test_a_file_that_is_named_is_there(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("chapter", range(1, 18))
def test_every_chapter_is_answered(chapter: int) -> None:
    assert re.search(rf"^\| V{chapter}[. ]", DOCUMENT, re.MULTILINE)
