"""How often credentials may be tried, without anybody being locked out by others.

Each try fills a bucket that leaks steadily; a right password takes its try out again. There are
three buckets to a try: of the address it comes from; of the account as tried from this device; and,
for a device that never signed in to the account, of the account as tried by all strangers together.
So a guesser with many addresses runs dry, and the owner, whose device or address is known, has a
bucket that no stranger can fill.
"""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Limit:
    """How many tries at once, and how long until there is one more."""

    burst: int
    one_per: timedelta


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is counted, and up to where."""

    key: str
    limit: Limit


_FROM_ADDRESS = Limit(100, timedelta(seconds=6))
_FROM_DEVICE = Limit(10, timedelta(minutes=1))
_BY_STRANGERS = Limit(30, timedelta(minutes=1))
_OWN = Limit(10, timedelta(minutes=1))
_LETTERS_TO = Limit(3, timedelta(minutes=10))
_NOTICES = Limit(5, timedelta(hours=1))
_LETTERS_FROM = Limit(30, timedelta(minutes=1))


def sign_in(account: str, address: str, device: str, *, known: bool) -> tuple[Bucket, ...]:
    """Return the buckets of a try to sign in to an account, whether or not it exists."""
    from_where = f"device:{device}" if device else f"address:{address}"
    buckets = (
        Bucket(f"sign-in from {address}", _FROM_ADDRESS),
        Bucket(f"sign-in to {account} from {from_where}", _FROM_DEVICE),
    )
    return buckets if known else (*buckets, Bucket(f"sign-in to {account}", _BY_STRANGERS))


def confirmation(user_id: str) -> tuple[Bucket, ...]:
    """Return the bucket of proving once more, within a session, who one is."""
    return (Bucket(f"confirmation by {user_id}", _OWN),)


def key_exchange(address: str) -> tuple[Bucket, ...]:
    """Return the bucket of presenting an API key: there is nothing in one to guess by."""
    return (Bucket(f"key from {address}", _FROM_ADDRESS),)


def letter(kind: str, account: str, address: str) -> tuple[Bucket, ...]:
    """Return the buckets of asking for a letter to an account, whether or not it exists."""
    return (
        Bucket(f"{kind} to {account}", _LETTERS_TO),
        Bucket(f"letters from {address}", _LETTERS_FROM),
    )


def notice(kind: str, user_id: str) -> Bucket:
    """Return the bucket of writing to a user about one kind of thing: none hides another."""
    return Bucket(f"notice of {kind} to {user_id}", _NOTICES)
