"""A tick: one price with the time that decides."""

from datetime import datetime, timedelta
from typing import NamedTuple


class Tick(NamedTuple):
    """One price of an instrument. A plain tuple, because thousands are made each second."""

    instrument_id: int
    number: int
    """Counts the stored ticks of the instrument."""

    time: datetime
    """Ingest time, strictly increasing per instrument: this one decides."""

    price: int
    """Mantissa at the instrument's scale."""

    source_time: datetime | None
    """What the source said. Evidence only."""

    late: bool
    """The source's time lagged more than the allowed age: opens and fixes nothing."""


def is_late(time: datetime, source_time: datetime | None, max_age: timedelta) -> bool:
    """Tell whether a tick came so late that it may not count (rules.md, "Fixing")."""
    return source_time is not None and time - source_time > max_age
