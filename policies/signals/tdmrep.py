"""`/.well-known/tdmrep.json`: octets in, the reservation of each place out.

Implements the file of the TDM Reservation Protocol of the W3C community group
(https://github.com/w3c/tdm-reservation-protocol): a JSON array of objects with `location` and
`tdm-reservation` and perhaps `tdm-policy`, whose first matching location in the order of the file decides.
Locations match as paths of robots.txt do, with regard to case. What is not an array says nothing, and neither
does a value other than 0 or 1; both are logged. Our own readings:

* the text "1" is read as 1 and "0" as 0, because a reservation in quotes was meant;
* of a name that stands twice in one object a restriction holds, whichever stands last;
* a location without its first slash is read with one; an absolute URL of the same host is read by its path;
* a policy is kept only beside a reservation of 1, as the protocol has it.

TDMRep's statements supersede one another (file, then header, then HTML, then in-file metadata): that order is
`superseding`. Never raises; JSON of any depth, size or nonsense comes out as a problem in words.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from policies.signals.rights_fetch import RightsAccess
from policies.signals.robots_agent import MAX_SEARCH
from policies.signals.robots_octets import readable_octets, shown
from policies.signals.robots_path import PathPattern, compile_pattern, judged_path
from policies.signals.statement import Family, Problem, Source, Stance, Statement

if TYPE_CHECKING:
    from policies.signals.rights_fetch import RightsFile
    from policies.vocabulary import Evidence

MOST_ENTRIES = 4_000
"""Entries that are read of one file; one with more is read as reserving everything."""
MOST_PARTS = 10 * MOST_ENTRIES
"""Colons or commas of one file; one with more is read as reserving everything, too: an entry needs five."""
MOST_LOCATIONS = 200_000
"""Characters of all locations of one file; the same holds."""

_TEXT_OCTETS = 500
_SUCCESS = frozenset((200, 203))
_RESERVATION = "tdm-reservation"
_VALUES = {"0": False, "1": True}
_ABSOLUTE = re.compile(r"https?://[^/?#]*", re.IGNORECASE)


class Layer(IntEnum):
    """Where a TDMRep statement stands; a higher one supersedes a lower one."""

    FILE = 1
    HEADER = 2
    META = 3
    EMBEDDED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class TdmReservation:
    """One statement: whether rights are reserved, under which policy, and the words that say so.

    `line` counts from 1 where the words stand in a text; `location` is the pattern of a file's entry.
    """

    reserved: bool
    layer: Layer
    policy: str = ""
    location: str = ""
    line: int | None = None
    text: str = ""
    note: str = ""


def read_reservation(value: object) -> bool | None:
    """Return whether a value reserves rights; None for anything but 0, 1 and their text.

    True, false, 1.0 and 2 are errors of the protocol, and errors leave the reservation unset.
    """
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    return _VALUES.get(str(value).strip(" \t\r\n"))


def superseding(statements: tuple[TdmReservation, ...]) -> TdmReservation | None:
    """Return the statement that holds: the most embedded one, of several at one place a restriction."""
    return max(statements, key=lambda one: (one.layer, one.reserved), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    pattern: PathPattern
    reservation: TdmReservation | None


_TOO_COSTLY = TdmReservation(
    reserved=True, layer=Layer.FILE, note="too many wildcards for so long a URL: read as reserved"
)


class _Members(list[tuple[str, object]]):
    """A JSON object with every member in order, repeated names included."""


def _number(digits: str) -> int | str:
    """Return a JSON integer; one of thousands of digits stays text, for it is neither 0 nor 1."""
    return int(digits) if len(digits) <= 4 else "a long number"  # noqa: PLR2004 - `-0` and `0001` are none


_DECODER = json.JSONDecoder(object_pairs_hook=_Members, parse_int=_number, parse_float=lambda _: None)


class TdmFile:
    """A read tdmrep.json. `problems` says what of it could not be read; `invalid` that nothing could."""

    __slots__ = ("_entries", "_wildcards", "invalid", "problems")

    def __init__(self, entries: tuple[_Entry, ...], problems: tuple[str, ...], *, invalid: bool) -> None:
        self._entries = entries
        self._wildcards = sum(entry.pattern.pieces is not None for entry in entries)
        self.problems = problems
        self.invalid = invalid

    def __len__(self) -> int:
        """Return the number of entries that match something."""
        return len(self._entries)

    def reservation_for(self, url: str) -> TdmReservation | None:
        """Return what the first entry says that matches an absolute http(s) URL; None when that is unset."""
        path = judged_path(url)
        if path is None:
            return None
        if self._wildcards * len(path) > MAX_SEARCH:
            return _TOO_COSTLY
        for entry in self._entries:
            if entry.pattern.matches(path):
                return entry.reservation
        return None


class _Reader:
    """One pass over the entries: keeps what can be read and words for what cannot."""

    def __init__(self, text: str) -> None:
        self.problems: list[str] = []
        self.locations = 0
        # Entries are found again in the text by the order of their locations, for the line of the evidence.
        self._places = re.finditer(r'"location"\s*+:', text)
        self._text = text
        self._line = 1
        self._counted = 0

    def _report(self, words: str) -> None:
        if len(self.problems) < 20:  # noqa: PLR2004 - a file that repeats its error says it often enough
            self.problems.append(words)

    def _place(self) -> int | None:
        found = next(self._places, None)
        if found is None:
            return None
        self._line += self._text.count("\n", self._counted, found.start())
        self._counted = found.start()
        return self._line

    def _pattern(self, location: str) -> str:
        absolute = _ABSOLUTE.match(location)
        if absolute:
            location = location[absolute.end() :]
        return location if location.startswith(("/", "*")) else f"/{location}"

    def entry(self, number: int, value: object) -> _Entry | None:
        """Return one entry of the array, or None when it matches nothing."""
        if not isinstance(value, _Members):
            self._report(f"entry {number} is no object")
            return None
        named: dict[str, list[object]] = {}
        for name, member in value:
            named.setdefault(name, []).append(member)
        line = None
        for _ in named.get("location", ()):
            line = self._place()
        location = next((one for one in named.get("location", ()) if isinstance(one, str)), None)
        if location is None:
            self._report(f"entry {number} has no location")
            return None
        self.locations += len(location)
        if self.locations > MOST_LOCATIONS:  # then the whole file reserves
            return None
        reservation = self._reservation(number, location, named, line)
        try:
            octets = self._pattern(location).encode()
        except UnicodeEncodeError:  # half a pair: nobody can tell which addresses are meant
            self._report(f"entry {number} has a location that is no text")
            if reservation is None or not reservation.reserved:
                return None
            octets = b"*"
        return _Entry(pattern=compile_pattern(octets), reservation=reservation)

    def _reservation(
        self, number: int, location: str, named: dict[str, list[object]], line: int | None
    ) -> TdmReservation | None:
        values = named.get(_RESERVATION, [])
        read = [read_reservation(one) for one in values]
        known = [one for one in read if one is not None]
        if None in read or not values:
            self._report(f"entry {number} has no tdm-reservation that is 0 or 1")
        if not known:
            return None
        policy = next((one for one in reversed(named.get("tdm-policy", [])) if isinstance(one, str)), "")
        reserved = any(known)
        said = {"location": location[:_TEXT_OCTETS], _RESERVATION: int(reserved)}
        return TdmReservation(
            reserved=reserved,
            layer=Layer.FILE,
            policy=policy[:2000] if reserved else "",
            location=location[:_TEXT_OCTETS],
            line=line,
            text=json.dumps(said, ensure_ascii=False)[:_TEXT_OCTETS],
            note="" if len(values) == 1 else "tdm-reservation stands more than once: the restriction holds",
        )


def _unreadable(why: str) -> TdmFile:
    return TdmFile((), (why,), invalid=True)


def _too_long(text: str) -> str:
    """Say what a file holds too much of, "" when it is nothing."""
    if (braces := text.count("{")) > 5 * MOST_ENTRIES:
        return f"{braces} entries; at most {MOST_ENTRIES} are read"
    return f"more than {MOST_PARTS} members" if max(map(text.count, ":,")) > MOST_PARTS else ""


def _too_many(what: str) -> TdmFile:
    words = f"{what}: read as reserved"
    everything = TdmReservation(reserved=True, layer=Layer.FILE, location="*", note=words)
    return TdmFile((_Entry(pattern=compile_pattern(b"*"), reservation=everything),), (words,), invalid=False)


def _array(text: str) -> tuple[list[object], str]:
    """Return the array that a text holds; or words that say why it holds none."""
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        return [], f"not JSON: {'nested too deeply' if deep else shown(str(error).encode())[:200]}"
    if isinstance(value, _Members) or not isinstance(value, list):
        kind = "an object" if isinstance(value, _Members) else "a single value"
        return [], f"{kind} in place of the array that the protocol asks for"
    return value, ""


def parse_tdmrep(body: bytes) -> TdmFile:
    """Return what a tdmrep.json says, whatever its octets are."""
    octets, problem = readable_octets(body)
    if problem:
        return _unreadable(problem)
    text = octets.decode("utf-8", "replace")
    if words := _too_long(text):  # asked before it is parsed, which takes longest
        return _too_many(words)
    value, problem = _array(text)
    if problem:
        return _unreadable(problem)
    if len(value) > MOST_ENTRIES:
        return _too_many(f"{len(value)} entries; at most {MOST_ENTRIES} are read")
    reader = _Reader(text)
    entries = [reader.entry(number, one) for number, one in enumerate(value, 1)]
    if reader.locations > MOST_LOCATIONS:
        return _too_many(f"locations of more than {MOST_LOCATIONS} characters")
    kept = tuple(entry for entry in entries if entry is not None)
    return TdmFile(kept, tuple(reader.problems), invalid=False)


class TdmReading:
    """One origin's tdmrep.json: the file as obtained, and its reservations as read.

    What was not obtained is not implemented, as the protocol has it; `tdm` is None then.
    """

    __slots__ = ("file", "tdm")

    def __init__(self, file: RightsFile) -> None:
        self.file = file
        self.tdm: TdmFile | None = parse_tdmrep(file.body) if file.access is RightsAccess.OBTAINED else None

    def reservation_for(self, url: str) -> TdmReservation | None:
        """Return what the file says of a URL of its origin; None when that is unset."""
        return self.tdm.reservation_for(url) if self.tdm is not None else None

    def statement_for(self, url: str) -> Statement | None:
        """Return the file's statement on a URL of its origin in the value that all families share.

        A file that cannot be read, or errors of the protocol in it, are a statement of unknown stance; None
        means that there is nothing to say.
        """
        found = self.reservation_for(url)
        if found is not None:
            stance = Stance.DENY if found.reserved else Stance.ALLOW
            return Statement(
                family=Family.TDM,
                use=_RESERVATION,
                stance=stance,
                source=Source.SITE_FILE,
                text=found.text,
                line=found.line,
                detail="; ".join(words for words in (found.policy, found.note) if words),
            )
        problems = self._problems()
        if not problems:
            return None
        return Statement(
            family=Family.TDM,
            use=_RESERVATION if self.tdm is not None and not self.tdm.invalid else "",
            stance=Stance.UNKNOWN,
            source=Source.SITE_FILE,
            problem=Problem.MALFORMED,
            detail="; ".join(problems[:3]),
        )

    def _problems(self) -> tuple[str, ...]:
        if self.tdm is not None:
            return self.tdm.problems
        # A file that is there and too long to be read is not one that does not exist.
        there = self.file.access is RightsAccess.UNOBTAINABLE and self.file.status in _SUCCESS
        return (self.file.problem,) if there else ()

    def evidence_of(self, statement: Statement) -> Evidence:
        """Return evidence for a statement of this file."""
        return self.file.evidence(line=statement.line, text=statement.text, note=statement.remarks)
