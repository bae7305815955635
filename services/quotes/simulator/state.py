"""The last prices, in a small file, so that the market goes on where it was after a restart."""

import os
from pathlib import Path

import orjson
import structlog

_NAME = "prices.json"
_log = structlog.stdlib.get_logger()


class State:
    """Last prices in a folder; without a folder nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        """Keep them in this folder, which is made if it is missing."""
        self._path = folder / _NAME if folder else None
        if folder:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def load(self) -> dict[str, str]:
        """Return prices by symbol; none if there is no file, or none that can be read."""
        if self._path is None or not self._path.exists():
            return {}
        try:
            data = orjson.loads(self._path.read_bytes())
            return {str(symbol): str(price) for symbol, price in data.items()}
        except (OSError, ValueError, AttributeError) as error:
            _log.warning("the last prices can not be read", reason=str(error))
            return {}

    def save(self, prices: dict[str, str]) -> None:
        """Replace the file as a whole: a crash leaves the old one or the new one."""
        if self._path is None:
            return
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(orjson.dumps(prices))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
