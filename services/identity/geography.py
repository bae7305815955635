"""In which country an address is: from a database file in MaxMind's format, if one was given."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import maxminddb

NOWHERE = ""
"""The country of an address of which it is not known."""


class Countries(Protocol):
    """Knows where addresses are."""

    def of(self, address: str) -> str:
        """Return the ISO 3166 code of an address's country; NOWHERE when it is not known."""


class CountryFile:
    """A file such as GeoLite2-Country or any other with `country.iso_code`."""

    def __init__(self, path: Path) -> None:
        """Open the file, which is mapped into memory; SystemExit when it is none."""
        try:
            self._reader = maxminddb.open_database(path, maxminddb.MODE_MMAP)
        except (OSError, maxminddb.InvalidDatabaseError) as error:
            raise SystemExit(f"settings: VERITICK_COUNTRY_FILE: {error}") from error

    def of(self, address: str) -> str:
        """Return the ISO 3166 code of an address's country; NOWHERE when it is not known."""
        try:
            record = self._reader.get(address.partition("/")[0])
        except ValueError:
            return NOWHERE
        country = record.get("country") if isinstance(record, dict) else None
        code = country.get("iso_code") if isinstance(country, dict) else None
        return code if isinstance(code, str) else NOWHERE
