"""What trading is told by its environment."""

from typing import Literal

from pydantic import Field

from services.kit.settings import DatabaseSettings, ServiceSettings

BookKind = Literal["REAL", "DEMO", "TOURNAMENT"]


class BookSettings(DatabaseSettings):
    """One book: where it is, and the terms and chips it begins with."""

    currency: str = Field(default="USD", pattern="^[A-Z]{3,5}$")
    initial_minor_units: int | None = Field(
        default=None, ge=0, description="chips of a new account; 10,000.00 in the demo book, else 0"
    )
    duration_seconds_min: int | None = Field(
        default=None, ge=1, description="shortest order; 60 in the real book, else 5"
    )
    payout_policy: Literal["fixed", "win-rate"] | None = Field(
        default=None, description="win-rate in the real book, else fixed"
    )
    limits: bool | None = Field(
        default=None,
        description="whether users' own limits on losses and stakes count in this book; "
        "they do unless it is one of tournaments, whose chips are no money",
    )
    open_orders_max: int = Field(default=200, ge=1)
    exposure_max_minor_units: int = Field(default=100_000_000, ge=1)


class Settings(ServiceSettings):
    """Trading's settings. The books it serves are the keys of `books`."""

    books: dict[str, BookSettings]
    sign_every_seconds: int = Field(
        default=60, ge=1, le=3600, description="between two signatures of a growing ledger"
    )


def kind_of(book: str) -> BookKind:
    """Return the kind of a book from its name: `demo`, `real-1` and the like.

    ValueError for a name that tells no kind.
    """
    kind = book.partition("-")[0].upper()
    if kind == "REAL":
        return "REAL"
    if kind == "DEMO":
        return "DEMO"
    if kind == "TOURNAMENT":
        return "TOURNAMENT"
    raise ValueError(f"a book's name begins with real, demo or tournament, not {book!r}")
