"""From what a session was begun, in words that its owner recognises."""

from dataclasses import dataclass

NAME_LENGTH_MAX = 80

# The first that occurs counts: browsers also name those that they resemble.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True)
class Device:
    """What a sign-in came from. All of it is what the client says; none of it proves anything."""

    name: str = ""
    """How the owner calls it, or what it seems to be: `Firefox on Linux`."""

    address: str = "unknown"
    agent: str = ""
    cookie: str = ""
    """The random id that the edge gave to this browser; empty for programs."""


UNKNOWN = Device()


def described(agent: str) -> str:
    """Return what a `User-Agent` seems to be, in a few words."""
    product = agent.partition(" ")[0].partition("/")[0][:NAME_LENGTH_MAX]
    return " on ".join(recognised(agent)) or product or "Unknown device"


def recognised(agent: str) -> list[str]:
    """Return the browser and the system of a `User-Agent`, as far as they are well known.

    Nothing of it is written by the client, so that it can stand in a letter.
    """
    return [name for known in (_BROWSERS, _SYSTEMS) if (name := _first(known, agent))]


def _first(known: tuple[tuple[str, str], ...], agent: str) -> str:
    return next((name for token, name in known if token in agent), "")
