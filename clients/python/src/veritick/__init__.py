"""The Python client of Veritick.

`Veritick` speaks REST and the socket of the edge, and gives and takes the messages of the
contract: `veritick.trading.v1.order_pb2.Order` and its like, generated from `proto/` and found in
the packages beside this module. `VeritickError` is the one exception that the platform answers.

Importing the package alone loads nothing: services import the generated messages from here, and
need no HTTP client for that.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from veritick.client import Veritick
    from veritick.errors import VeritickError

__all__ = ["Veritick", "VeritickError"]


def __getattr__(name: str) -> Any:
    if name == "Veritick":
        from veritick.client import Veritick  # noqa: PLC0415

        return Veritick
    if name == "VeritickError":
        from veritick.errors import VeritickError  # noqa: PLC0415

        return VeritickError
    raise AttributeError(f"module 'veritick' has no attribute {name!r}")
