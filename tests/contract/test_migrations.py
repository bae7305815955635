"""The migrations of each service are one line, whoever added one at the same time as another."""

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

SERVICES = Path(__file__).parents[2] / "services"


@pytest.mark.parametrize(
    "folder", sorted(SERVICES.glob("*/migrations")), ids=lambda f: f.parent.name
)
def test_the_migrations_of_a_service_are_one_line(folder: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(folder))
    script = ScriptDirectory.from_config(config)

    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1
