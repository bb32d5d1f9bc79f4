"""The words of robots directives: `noindex, max-snippet:0, unavailable_after: Sat, 25 Jun 2010 15:00:00 GMT`.

One grammar in two places: the `X-Robots-Tag` header (`x_robots.py`) and robots meta elements
(`meta_robots.py`). Implements https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag
together with what DeviantArt and Spawning added (`noai`, `noimageai`): words without regard to case, between
commas, some with a value behind a colon, dates with commas of their own. Our own readings:

* blanks and semicolons separate as well, because a restriction was meant;
* a date may be any of RFC 822, RFC 850 and ISO 8601, with or without a comma behind its weekday; one that
  cannot be read is kept as a problem; a day without a time ends when it begins; no zone means UTC;
* permissions (`all`, `index`, `follow`) are no statements: they restate the default.

Pure: the time is an argument; linear in the text; never raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from policies.signals.statement import TEXT_LIMIT, Family, Problem, Source, Stance, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

NOINDEX = frozenset(("noindex", "none"))
NOARCHIVE = frozenset(("noarchive", "nocache"))
NOSNIPPET = frozenset(("nosnippet", "max-snippet"))
NOAI = "noai"
NOIMAGEAI = "noimageai"
UNAVAILABLE_AFTER = "unavailable_after"
NOFOLLOW = "nofollow"
NOIMAGEINDEX = "noimageindex"
#: Directives that restrict by being there.
RESTRICTIONS = NOINDEX | NOARCHIVE | {"nosnippet", NOAI, NOIMAGEAI, NOFOLLOW, NOIMAGEINDEX}
#: Directives with a value: what stands before their colon is no crawler's name.
VALUED = frozenset(
    (UNAVAILABLE_AFTER, "unavailable-after", "max-snippet", "max-image-preview", "max-video-preview")
)

# The letters first and what stands before them afterwards: the other way round takes ten times as long.
_EACH = {word: re.compile(rf"{word}(?<![a-z_-]{word})(?![a-z_-])") for word in sorted(RESTRICTIONS)}
_WORDS = re.compile(r"[^\s,;]+")
_DATE_WORDS = 7
_ZEROS = frozenset(("0", "+0", "-0", "00"))
_WEEKDAY = re.compile(r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*", re.IGNORECASE)
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where directives stand: what every statement made of them carries."""

    family: Family
    source: Source
    text: str
    line: int | None = None
    problem: Problem = Problem.NONE


def is_valued(word: str) -> bool:
    """Return whether a lower-case word before a colon is a directive and not a crawler's name.

    Directives of later versions are recognised by their form.
    """
    return word in VALUED or word.startswith("max-") or word.endswith(("_after", "-after"))


def parse_moment(text: str) -> int | None:
    """Return a date as UTC microseconds, or None when it is not one."""
    text = text.strip(" \t\"'.,")[:80]
    if _WEEKDAY.match(text) and "," not in text:
        # `Sat 25 Jun 2010`: the weekday says nothing that the date does not.
        text = text.partition(" ")[2]
    try:
        if _ISO_DATE.match(text):
            moment = datetime.fromisoformat(text.replace(" UTC", "Z").replace(" GMT", "Z"))
        else:
            moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1_000_000)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None


def _statement(place: Place, use: str, stance: Stance, problem: Problem, detail: str) -> Statement:
    return Statement(
        family=place.family,
        use=use,
        stance=stance,
        source=place.source,
        text=place.text[:TEXT_LIMIT],
        line=place.line,
        problem=problem if problem is not Problem.NONE else place.problem,
        detail=detail,
    )


def _expiry(place: Place, value: str, now_us: int) -> Statement:
    moment = parse_moment(value)
    if moment is None:
        detail = f"{value[:40]!r} is no date"
        return _statement(place, UNAVAILABLE_AFTER, Stance.UNKNOWN, Problem.MALFORMED, detail)
    if moment > now_us:
        return _statement(place, UNAVAILABLE_AFTER, Stance.ALLOW, Problem.NONE, "not yet past")
    return _statement(place, UNAVAILABLE_AFTER, Stance.DENY, Problem.NONE, "past")


def _date_in(value: str, following: str) -> tuple[str, bool]:
    """Return a date that begins with `value`, and whether it goes on in the following part.

    The comma of a date stands behind its weekday and nowhere else.
    """
    if _WEEKDAY.fullmatch(value.strip(" \t\"'")) and following:
        return f"{value.strip()}, {following.strip()}", True
    return value, False


def _words(place: Place, part: str) -> Iterator[Statement]:
    for found in _WORDS.finditer(part):
        word = found[0].strip("\"'").lower()
        if word in RESTRICTIONS:
            yield _statement(place, word, Stance.DENY, Problem.NONE, "")


def read_part(place: Place, part: str, following: str, *, now_us: int) -> tuple[list[Statement], bool]:
    """Return the statements of one comma-separated part, and whether they took the following one in.

    `part` holds no crawler's name any more; `following` is "" behind the last part.
    """
    if not part or part.isspace():
        return [], False
    head, colon, value = part.partition(":")
    names = head.split()
    name = names[-1].strip("\"'").lower() if names else ""
    if not colon or not is_valued(name):
        return list(_words(place, part)), False
    found = list(_words(place, head))
    if name.replace("-", "_") == UNAVAILABLE_AFTER:
        date, taken = _date_in(value, following)
        found.append(_expiry(place, " ".join(date.split()[:_DATE_WORDS]), now_us))
        # Behind the date other words may follow without a comma.
        return [*found, *_words(place, date)], taken
    first, _, rest = value.strip().partition(" ")
    if name == "max-snippet" and first.strip("\"'") in _ZEROS:
        found.append(_statement(place, name, Stance.DENY, Problem.NONE, "0"))
    return [*found, *_words(place, rest)], False


def restrictions_in(text: str) -> tuple[str, ...]:
    """Return the restrictions (in lower case) that stand anywhere in a text, each once, by their letters."""
    lowered = text.lower()
    return tuple(word for word, pattern in _EACH.items() if pattern.search(lowered))


def beyond_limit(text: str, place: Place) -> list[Statement]:
    """Return the restrictions in what is not read word for word: by their letters, for everybody."""
    return [_statement(place, word, Stance.DENY, Problem.BEYOND_LIMIT, "") for word in restrictions_in(text)]


def parse_directives(text: str, place: Place, *, now_us: int) -> tuple[Statement, ...]:
    """Return the statements of a list of directives without crawlers' names, each distinct one once."""
    parts = text.split(",")
    found: list[Statement] = []
    index = 0
    while index < len(parts):
        following = parts[index + 1] if index + 1 < len(parts) else ""
        statements, taken = read_part(place, parts[index], following, now_us=now_us)
        found += statements
        index += 1 + taken
    return distinct(found)


def distinct(statements: list[Statement]) -> tuple[Statement, ...]:
    """Return the first statement of each kind: a hostile page says the same thing a thousand times."""
    kept: dict[tuple[str, Stance, str, Problem], Statement] = {}
    for one in statements:
        kept.setdefault((one.use, one.stance, one.detail, one.problem), one)
    return tuple(kept.values())
