"""What every flow of identity stands on."""

from dataclasses import dataclass

from services.identity.session import Random
from services.kit.clock import Clock
from services.kit.database import Database
from services.kit.ids import Ids
from services.kit.journal import Journal


@dataclass(frozen=True, slots=True)
class Ground:
    """The database with its journal, and where time, ids and secrets come from."""

    database: Database
    journal: Journal
    clock: Clock
    ids: Ids
    random: Random
