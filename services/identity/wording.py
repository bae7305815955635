"""Where the texts of letters come from: `words/`, a file for each language."""

import tomllib
from pathlib import Path
from string import Template

from services.identity.letter import LANGUAGES, LetterKind, Text, Wording

_FOLDER = Path(__file__).parent / "words"


def load_wording() -> Wording:
    """Return every text; KeyError when one is missing."""
    return {language: _read(_FOLDER / f"{language}.toml") for language in LANGUAGES}


def _read(file: Path) -> dict[LetterKind, Text]:
    words = tomllib.loads(file.read_text(encoding="utf-8"))
    return {kind: _text(words[kind]) for kind in LetterKind}


def _text(words: dict[str, str]) -> Text:
    return Text(Template(words["subject"]), Template(words["body"]))
