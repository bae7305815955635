"""What a person may choose about the platform on this machine."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.local.home import Refusal
from services.local.ports import LARGEST_BASE, SMALLEST_BASE

# Compiled once, the parts start faster every time after.
_UNSET = frozenset({"PYTHONDONTWRITEBYTECODE"})
REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Feed:
    """Where the market comes from: simulated, or a recording replayed at a speed."""

    kind: str = "simulated"
    file: Path | None = None
    speed: str = "1"


@dataclass(frozen=True)
class Settings:
    """The choices for one run; `base_environment` is what every part inherits."""

    home: Path
    port: int
    feed: Feed
    real_accounts: bool
    postgres_binaries: Path | None
    base_environment: Mapping[str, str]
    repository: Path = REPOSITORY
    python: str = sys.executable


def read(environment: Mapping[str, str], feed: Feed, folder: Path) -> Settings:
    """Read the settings; relative paths start at `folder`.

    Raises `Refusal` for a value that cannot be.
    """
    if feed.kind == "replay" and (feed.file is None or not feed.file.is_file()):
        raise Refusal(f"FEED=replay needs FILE=<recording.csv>; there is no file {feed.file}")
    binaries = environment.get("VERITICK_POSTGRES_BIN")
    return Settings(
        home=(folder / environment.get("VERITICK_HOME", ".veritick")).resolve(),
        port=_port(environment.get("VERITICK_PORT", "8080")),
        feed=feed,
        real_accounts=_flag("VERITICK_REAL_ACCOUNTS", environment),
        postgres_binaries=Path(binaries) if binaries else None,
        base_environment={name: environment[name] for name in environment if name not in _UNSET},
    )


def _port(text: str) -> int:
    if not text.isdecimal() or not SMALLEST_BASE <= int(text) <= LARGEST_BASE:
        limits = f"a number from {SMALLEST_BASE} to {LARGEST_BASE}"
        raise Refusal(f"VERITICK_PORT must be {limits}, not {text!r}")
    return int(text)


def _flag(name: str, environment: Mapping[str, str]) -> bool:
    value = environment.get(name, "false").lower()
    if value not in {"true", "false", "1", "0", ""}:
        raise Refusal(f"{name} must be true or false, not {value!r}")
    return value in {"true", "1"}
