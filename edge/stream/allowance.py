"""How much of something one client may ask for."""


class Allowance:
    """Up to `burst` at once, and `per_second` more with time."""

    def __init__(self, burst: float, per_second: float, now: float) -> None:
        """Begin full at a moment of a monotonic clock, in seconds."""
        self._burst = burst
        self._per_second = per_second
        self._left = burst
        self._at = now

    def take(self, now: float) -> bool:
        """Use one up; False when none is left."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
