r"""How texts are kept where a table cannot hold every text: PostgreSQL refuses U+0000 and surrogates.

Part of the format of a log in PostgreSQL. U+FDD0, a code point that is no character and never will be
(https://www.unicode.org/faq/private_use.html#nonchar4), announces what follows:

    U+FDD0 "0"        one U+0000
    U+FDD0 "1"        one U+FDD0
    U+FDD0 "x" hex    only as the start of a URL: the URL is these octets, because it is no valid Unicode

Every other text is kept as it is, and what is hashed is always the text itself, so that a record has the same
leaf hash in both engines. SQLite keeps all texts as they are, and such URLs as octets. Pure.
"""

from __future__ import annotations

from typing import Final

MARK: Final = "\ufdd0"
MARK_OCTETS: Final = MARK.encode()
_OCTETS: Final = MARK + "x"


def stored_text(text: str) -> str:
    """Return what a table of PostgreSQL keeps of a text without surrogates."""
    if MARK in text or "\0" in text:
        return text.replace(MARK, MARK + "1").replace("\0", MARK + "0")
    return text


def read_text(stored: str) -> str:
    """Return the text that is kept so."""
    return stored.replace(MARK + "0", "\0").replace(MARK + "1", MARK) if MARK in stored else stored


def stored_url(url: str | bytes) -> str:
    """Return what a table of PostgreSQL keeps of a URL: its text, or its octets when it has none."""
    return _OCTETS + url.hex() if isinstance(url, bytes) else stored_text(url)


def read_url(stored: str) -> str | bytes:
    """Return the URL that is kept so; what nobody wrote comes back as it stands."""
    if stored.startswith(_OCTETS):
        try:
            return bytes.fromhex(stored[len(_OCTETS) :])
        except ValueError:
            return stored
    return read_text(stored)


def read_octets(stored: bytes) -> bytes:
    """Return the octets of a text or URL from the octets of what is kept of it."""
    if MARK_OCTETS not in stored:
        return stored
    try:
        url = read_url(stored.decode())
    except UnicodeDecodeError:
        return stored
    return url if isinstance(url, bytes) else url.encode()
