"""`X-Robots-Tag`: robots directives in response headers, some of them for one crawler only.

Implements https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag#xrobotstag and reads
`Robots-Tag` of draft-illyes-repext for its restrictions. A name before a colon opens the scope of a crawler,
which runs to the next name; directives with a value are no names; each header line begins without one.
Directives without a name, for `*` or `robots`, and for our own token (compared by equality, without regard to
case) add up; those of other crawlers say nothing here. Our own readings:

* a name with a blank in it is none, so that what follows it counts for everybody;
* behind `READ_LIMIT` characters of all lines, restrictions are recognised by their letters, for everybody.

Pure: the time is an argument; linear; never raises.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from policies.signals.robots_directives import (
    Place,
    beyond_limit,
    distinct,
    is_valued,
    read_part,
    restrictions_in,
)
from policies.signals.statement import Family, Source, Stance, Statement

if TYPE_CHECKING:
    from collections.abc import Iterable

FIELD = "x-robots-tag"
DRAFT_FIELD = "robots-tag"
READ_LIMIT = 16_384
"""Characters of all lines that are read word for word; draft-illyes-repext asks for at least 8 KiB of one."""

_EVERYBODY = frozenset(("", "*", "robots"))
_NAME = re.compile(r"[ \t]*+([^\s,:;=]++)[ \t]*+:(.*)", re.DOTALL)
_MEMBER = re.compile(r"[^;,]+")


def _in_scope(name: str, token: str) -> bool:
    return name in _EVERYBODY or name == token.lower()


def _line(value: str, token: str, now_us: int, limit: int) -> list[Statement]:
    place = Place(family=Family.X_ROBOTS_TAG, source=Source.HEADER, text=f"{FIELD}: {value[:500]}")
    found = beyond_limit(value[limit:], place) if len(value) > limit else []
    parts = value[:limit].split(",")
    scope = ""
    index = 0
    while index < len(parts):
        part = parts[index]
        named = _NAME.match(part)
        while named and not is_valued(named[1].lower()):
            scope, part = named[1].lower(), named[2]
            named = _NAME.match(part)
        following = parts[index + 1] if index + 1 < len(parts) else ""
        statements, taken = read_part(place, part, following, now_us=now_us)
        if _in_scope(scope, token):
            found += statements
        index += 1 + taken
    return found


def _draft_line(value: str, token: str, limit: int) -> list[Statement]:
    """Return the restrictions of `*=noindex; ExampleBot=(nosnippet)`; no name means everybody."""
    place = Place(family=Family.X_ROBOTS_TAG, source=Source.HEADER, text=f"{DRAFT_FIELD}: {value[:500]}")
    found = beyond_limit(value[limit:], place) if len(value) > limit else []
    scope = ""
    for member in _MEMBER.finditer(value[:limit]):
        name, equals, words = member[0].partition("=")
        if equals:
            scope = name.strip().lower()
        if _in_scope(scope, token):
            found += [
                Statement(
                    family=place.family, use=word, stance=Stance.DENY, source=place.source, text=place.text
                )
                for word in restrictions_in(words if equals else name)
            ]
    return found


def parse_x_robots(headers: Iterable[tuple[str, str]], token: str, *, now_us: int) -> tuple[Statement, ...]:
    """Return what the headers of one response (names in lower case) say to a token, each statement once."""
    found: list[Statement] = []
    left = READ_LIMIT
    for name, value in headers:
        if name == FIELD:
            found += _line(value, token, now_us, left)
        elif name == DRAFT_FIELD:
            found += _draft_line(value, token, left)
        else:
            continue
        left = max(0, left - len(value))
    return distinct(found)
