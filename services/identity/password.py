"""Which passwords are accepted: long enough, and none that is guessed first.

Length is what protects; there is no rule about kinds of characters (NIST SP 800-63B). What a
guesser tries first is refused: common words with the usual decoration, walks over the keyboard,
the alphabet or the digits, a short piece repeated, and the user's own mail address.
"""

import re
import unicodedata

PASSWORD_LENGTH_MIN = 10

_PERIOD_MAX = 4
_WALK_LENGTH_MIN = 4

# What remains of a guess once digits and signs around it are gone and look-alikes are undone.
_COMMON_WORDS = """
    abc access account admin administrator asdf asdfghjkl azerty baseball basketball batman bitcoin
    binaryoptions changeme changeit chocolate computer dragon family flower football freedom
    hello helloworld hunter iloveyou jesus killer letmein login loveme lovely manager
    master michael money monkey mypassword ninja nothing office options pass passphrase passwd
    password passwort pokemon princess qazwsx qazwsxedc qwer qwert qwerty qwertyuiop qwertz root
    samsung secret shadow soccer starwars strongpassword summer autumn winter spring sunshine
    superman temp test testing thisisapassword trader trading trustno trustnoone user
    username veritick welcome whatever winner yourpassword zxcvbnm
"""
_COMMON = frozenset(_COMMON_WORDS.split())
_LOOKALIKES = str.maketrans(
    {"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i"}
)
_ORDERS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "azertyuiop",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik",
    "qazwsxedcrfvtgbyhnujmik",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
)
_PATHS = tuple(path for order in _ORDERS for path in (order, order[::-1]))
_DECORATION = re.compile(r"^[\W\d_]+|[\W\d_]+$")


def normalised(password: str) -> str:
    """Return the text that is judged and hashed, the same from every keyboard (NFKC)."""
    return unicodedata.normalize("NFKC", password)


def weakness(password: str, address_key: str) -> str | None:
    """Return why a normalised password is refused, as the end of a sentence, or None."""
    if len(password) < PASSWORD_LENGTH_MIN:
        return f"must have at least {PASSWORD_LENGTH_MIN} characters"
    folded = password.casefold()
    if folded in (address_key, address_key.partition("@")[0]):
        return "must not be the mail address"
    if _repeats(folded) or _walks(folded) or _decorates_a_common_word(folded):
        return "is one of the first that anyone would guess"
    return None


def _repeats(text: str) -> bool:
    """Tell whether the text is a short piece over and over: `aaaaaaaaaa`, `1212121212`."""
    return any(text[period:] == text[:-period] for period in range(1, _PERIOD_MAX + 1))


def _walks(text: str) -> bool:
    """Tell whether the text is nothing but runs along well-known orders: `qwertyuiop123`."""
    position = 0
    while position < len(text):
        step = max(_run(text[position:], order) for order in _PATHS)
        if step < min(_WALK_LENGTH_MIN, len(text) - position):
            return False
        position += step
    return True


def _run(text: str, order: str) -> int:
    """Return how many characters of the text's beginning follow one another in an order."""
    start = order.find(text[0])
    length = 0
    while start >= 0 and length < len(text) and order[start + length :][:1] == text[length]:
        length += 1
    return length


def _decorates_a_common_word(text: str) -> bool:
    plain = (text, text.translate(_LOOKALIKES))
    bare = _DECORATION.sub("", text)
    words = {*plain, bare, bare.translate(_LOOKALIKES)}
    return any(_is_common(re.sub(r"[\W_]", "", word)) for word in words)


def _is_common(word: str) -> bool:
    """Tell whether a word is common, once or twice in a row (`testtest`, `passwordpassword`)."""
    half = word[: len(word) // 2]
    return word in _COMMON or (word == half * 2 and half in _COMMON)
