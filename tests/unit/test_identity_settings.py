"""Identity refuses to hash carelessly where it matters."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.identity.settings import Settings

URL = "postgresql://identity_service:a-long-random-secret@127.0.0.1/identity"


def _settings(**values: Any) -> Settings:
    return Settings(**{"database_url": URL, **values})


def test_the_defaults_are_owasps() -> None:
    settings = _settings()
    assert (settings.password_memory_kib, settings.password_iterations) == (19456, 2)


@pytest.mark.parametrize("weak", [{"password_memory_kib": 19455}, {"password_iterations": 1}])
def test_production_refuses_cheap_hashes(weak: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match="production hashes passwords with at least"):
        _settings(mode="production", **weak)


@pytest.mark.parametrize("weak", [{"password_memory_kib": 64}, {"password_iterations": 1}])
def test_development_may_hash_cheaply(weak: dict[str, int]) -> None:
    assert _settings(mode="development", **weak).mode == "development"
