"""How many places are taken, in all and by each address, where everybody has a bounded number."""

from __future__ import annotations


class Occupancy:
    """Counts places, such as connections or sockets."""

    def __init__(self, places_max: int, address_places_max: int) -> None:
        """Let so many be taken in all, and so many of them by one address."""
        self._places_max = places_max
        self._address_places_max = address_places_max
        self._taken: dict[str, int] = {}
        self._all = 0

    def room(self, address: str) -> bool:
        """Whether an address may take one more place."""
        mine = self._taken.get(address, 0)
        return self._all < self._places_max and mine < self._address_places_max

    def enter(self, address: str) -> bool:
        """Take one more place; False when there is no room for it."""
        if not self.room(address):
            return False
        self._taken[address] = self._taken.get(address, 0) + 1
        self._all += 1
        return True

    def leave(self, address: str) -> None:
        """Give one place back."""
        self._all -= 1
        self._taken[address] -= 1
        if not self._taken[address]:
            del self._taken[address]
