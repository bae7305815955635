"""How often Python looks for rings of garbage."""

import gc

_COLLECT_EVERY = (20_000, 20, 20)
"""Objects more than before, and young collections before an older generation is looked at."""


def collect_seldom() -> None:
    """Look for rings of garbage less often: what is loaded stays, and messages form none.

    Python's own pace would look through a large batch several times while it is being made.
    """
    gc.freeze()
    gc.set_threshold(*_COLLECT_EVERY)
