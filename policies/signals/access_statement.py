"""What a page says about access, as a value: free, metered, restricted, or said but unreadable.

Implements the reading of `isAccessibleForFree` (https://schema.org/isAccessibleForFree, Boolean) with the
spellings that occur: booleans as text, numbers, schema.org IRIs, JSON-LD value objects, lists.
A statement that cannot be read counts as a restriction: an instruction that we fail to understand is not a
permission. An empty one is no statement. Pure; never raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Access(StrEnum):
    """What one statement says. Only FREE lets a page pass."""

    FREE = "free"
    METERED = "metered"
    RESTRICTED = "restricted"
    UNREADABLE = "unreadable"


# The stricter the later.
_STRICTNESS = (Access.FREE, Access.UNREADABLE, Access.METERED, Access.RESTRICTED)


class Carrier(StrEnum):
    """Where a statement stands."""

    JSON_LD = "json-ld"
    MICRODATA = "microdata"
    META = "meta"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessStatement:
    """One statement of a page about itself.

    `line` counts from 1 in the text with LF line ends; `text` is the raw snippet, at most 500 characters;
    `note` says what was odd about the place or the form, empty when nothing was.
    """

    access: Access
    carrier: Carrier
    line: int
    text: str
    note: str = ""

    @property
    def restricts(self) -> bool:
        """Whether the statement keeps the page from us."""
        return self.access is not Access.FREE


SNIPPET = 500
_BEFORE = 120

_FALSE = frozenset(
    ("false", "0", "0.0", "no", "n", "f", "off", "none", "not", "falsch", "falso", "faux", "いいえ")
)
_TRUE = frozenset(
    ("true", "1", "1.0", "yes", "y", "t", "on", "free", "open", "wahr", "vrai", "verdadero", "はい")
)
_NOTHING = frozenset(("", "null", "nil", "undefined"))
_WRAPPERS = " \t\n\f\v\"'`“”„‚‘’;,.\u00a0\u3000"
# What may stand between a property name and its value in text: quotes and escapes, attribute syntax, IRIs.
_BETWEEN = re.compile(
    r"(?:&quot;|&\#34;|&\#x22;|&\#39;|&apos;|[\s\"'\\:=>\[{]|@value|@id|content(?=[\s=])|href(?=[\s=])|https?://|"
    r"(?:www\.)?schema\.org/|schema:|Boolean/)*+([^\s\"'\\,;&<>\]}]{0,40})",
    re.IGNORECASE,
)


def strictest(values: list[Access]) -> Access | None:
    """Return the strictest of several readings, None when there is none."""
    return max(values, key=_STRICTNESS.index, default=None)


def read_boolean(word: str) -> Access | None:
    """Return what a textual boolean says; None when it says nothing."""
    value = word.strip(_WRAPPERS).lower()
    for mark in ("/", "#"):
        value = value.rpartition(mark)[2]
    value = value.removeprefix("schema:").strip(_WRAPPERS)
    if value in _FALSE:
        return Access.RESTRICTED
    if value in _TRUE:
        return Access.FREE
    return None if value in _NOTHING else Access.UNREADABLE


def read_following_word(text: str, position: int) -> str:
    """Return the word that stands as value after a property name which ends at `position`."""
    found = _BETWEEN.match(text, position, position + 300)
    return found[1] if found else ""


def snippet_around(text: str, position: int) -> str:
    """Return the raw line of a position, or the part of a long line around it, at most 500 characters."""
    # A line may be a megabyte; where its ends are matters only when they are near.
    begin = text.rfind("\n", max(0, position - SNIPPET), position) + 1
    if not begin and position > SNIPPET:
        begin = position - SNIPPET
    end = text.find("\n", position, position + SNIPPET)
    end = min(len(text), position + SNIPPET) if end < 0 else end
    if end - begin > SNIPPET:
        begin = max(begin, position - _BEFORE)
        end = min(end, begin + SNIPPET)
    return text[begin:end].strip()
