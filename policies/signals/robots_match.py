"""Many path patterns at once: which one decides on a path, at a cost that no file can drive up.

Implements the choice of the most specific rule (RFC 9309 section 2.2.2,
https://www.rfc-editor.org/rfc/rfc9309): the match with the most octets decides, and Allow wins a tie.
All patterns are brought into their normal form (`robots_path.py`) in one go. Those without a wildcard are
looked up by the beginnings of the path; the others are tried from the longest to the shortest, each only
after a look whether its first literal occurs in the path at all.
Used for rules and, with other meanings of the two sides, for every record that names a path.
Pure; raises nothing for any octets and any path.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

from policies.signals.robots_path import normal_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_SEARCH = 50_000_000
"""Steps of searching for one URL at most: characters looked at, and those of a literal where it may begin.

Above it (thousands of wildcards against a URL of thousands of characters, made to resemble one another) the
URL is refused, so that a hostile file costs a twentieth of a second and not many.
"""

_LONGEST_COUNTED = 65_536
"""Characters of a path for which steps are counted; a longer one is too costly where it could be."""

_GRAM = 4  # characters of a literal that are looked up before it is searched

Entry = tuple[bool, bytes, int, bytes, int | None]
"""Whether it wins a tie, the pattern, its line from 1, the raw line, and the index of its group.

A plain tuple, because a file has tens of thousands of them.
"""

_HIGHEST = sys.maxsize
TOO_COSTLY: Entry = (False, b"", 0, b"", None)
"""What `CompiledRules.decide` returns, by identity, where deciding would take more than `MAX_SEARCH`."""


_Wildcard = tuple[str, str, Entry]
"""A pattern with a wildcard: the literal to look for first, its normal form, and its entry.

Its pieces are found again where that literal occurs: tens of thousands of lists would cost more to keep.
"""


def _wildcards(bucket: dict[str, Entry]) -> list[_Wildcard]:
    made = []
    for text, entry in bucket.items():
        pieces = text.split("*")
        first = pieces[-1]
        if len(pieces) > 2 and len(pieces[1]) > len(first):  # noqa: PLR2004 - the longer is the rarer one
            first = pieces[1]
        made.append((first[:-1] if "$" in first else first, text, entry))
    return made


def _matches(text: str, path: str) -> bool:
    """Return whether a pattern matches: each piece is searched once, from where the one before it ended.

    The leftmost place is enough, because what comes later only gets more room.
    """
    pieces = text.split("*")
    head, last = pieces[0], pieces[-1]
    if len(pieces) == 1:
        return path == head[:-1] if head[-1:] == "$" else path.startswith(head)
    if not path.startswith(head):
        return False
    position = len(head)
    for piece in pieces[1:-1]:
        position = path.find(piece, position) + len(piece)
        if position < len(piece):
            return False
    if last[-1:] == "$":
        return len(path) - len(last) + 1 >= position and path.endswith(last[:-1])
    return path.find(last, position) >= 0


def _search_takes(text: str, path: str, grams: Counter[str]) -> int:
    """Return at most how many steps it takes to match a pattern, or 0 when it cannot match.

    A search looks at each place of the path; it goes on looking there only as far as the literal agrees, so
    that beyond a few characters only the places count where the literal's beginning stands.
    """
    pieces = text.split("*")
    if not path.startswith(pieces[0]):
        return 0
    steps = 1
    for piece in pieces[1:]:
        if len(piece) > _GRAM:
            places = grams[piece[:_GRAM]]
            if not places:
                return 0
            steps += places * len(piece)
        steps += len(path)
    return steps


def _grams(path: str) -> Counter[str]:
    return Counter(map("".join, zip(path, path[1:], path[2:], path[3:], strict=False)))


class CompiledRules:
    """Path patterns ready for matching; those who share them share the last answer as well."""

    __slots__ = (
        "_buckets",
        "_decided",
        "_exact",
        "_lengths",
        "_literals",
        "_octets",
        "_path",
        "_ranks",
        "_wildcards",
    )

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Compile entries whose patterns begin with `/` or `*`; of two that say the same the first holds."""
        self._literals: dict[str, Entry] = {}
        self._exact: dict[str, Entry] = {}
        # By rank, which is twice the octets that decide, and one more for what wins a tie.
        self._buckets: dict[int, dict[str, Entry]] = {}
        self._wildcards: dict[int, list[_Wildcard]] = {}
        self._path: str | None = None
        self._decided: tuple[Entry | None, int] = (None, -1)
        self._enter(list(entries))
        self._lengths = sorted(set(map(len, self._literals)), reverse=True)
        self._ranks = sorted(self._buckets, reverse=True)
        self._octets = sum(sum(map(len, bucket)) for bucket in self._buckets.values())

    def _enter(self, entries: list[Entry]) -> None:
        literals, buckets, exact = self._literals, self._buckets, self._exact
        texts, dollars = normal_lines([entry[1] for entry in entries])
        for text, entry in zip(texts, entries, strict=True):
            # A `$` that is not at the end is one octet of specificity, although its normal form has three.
            inner = entry[1].count(b"$") - (text[-1:] == "$") if dollars else 0
            if "*" in text or inner:
                rank = 2 * len(text) + entry[0] - 4 * inner
                bucket = buckets.get(rank)
                if bucket is None:
                    buckets[rank] = {text: entry}
                elif text not in bucket:
                    bucket[text] = entry
            elif "$" in text:
                text = text[:-1]  # noqa: PLW2901 - it is the path that it matches
                if text not in exact or (entry[0] and not exact[text][0]):
                    exact[text] = entry
            elif text not in literals or (entry[0] and not literals[text][0]):
                literals[text] = entry

    def decide(self, path: str) -> Entry | None:
        """Return the deciding entry for a path in normal form, None, or `TOO_COSTLY`."""
        return self.decide_with_rank(path)[0]

    def decide_with_rank(self, path: str) -> tuple[Entry | None, int]:
        """Return the deciding entry, and its rank among those of other rules: the higher one decides."""
        if path != self._path:
            self._path, self._decided = path, self._decide(path)
        return self._decided

    def _decide(self, path: str) -> tuple[Entry | None, int]:
        best, rank = self._without_wildcard(path)
        # A pattern with a wildcard that has as many octets as a plain one decides only if it wins the tie;
        # if it has as many as one that ends in `$`, the first in the file is cited.
        least = rank if best is not None and self._exact.get(path) is best else rank + 1
        if not self._ranks or self._ranks[0] < least:
            return best, rank
        found = self._with_wildcard(path, least)
        if found is None or (best is not None and found[1] == rank and best[2] < found[0][2]):
            return best, rank
        return found

    def _without_wildcard(self, path: str) -> tuple[Entry | None, int]:
        exact = self._exact.get(path)
        if exact is not None:
            return exact, 2 * (len(path) + 1) + exact[0]
        for length in self._lengths:
            if length <= len(path):
                entry = self._literals.get(path[:length])
                if entry is not None:
                    return entry, 2 * length + entry[0]
        return None, -1

    def _with_wildcard(self, path: str, least: int) -> tuple[Entry, int] | None:
        """Return the first pattern with a wildcard that matches, and its rank, down to a rank."""
        costly = self._octets * len(path) > MAX_SEARCH
        if costly and len(path) > _LONGEST_COUNTED:
            return TOO_COSTLY, _HIGHEST
        grams, left = (_grams(path) if costly else None), MAX_SEARCH
        for rank in self._ranks:
            if rank < least:
                break
            for first, text, entry in self._wildcards.get(rank) or self._made(rank):
                if grams is not None:
                    steps = _search_takes(text, path, grams)
                    left -= steps
                    if left < 0:
                        return TOO_COSTLY, _HIGHEST
                    if steps and _matches(text, path):
                        return entry, rank
                elif first in path and _matches(text, path):
                    return entry, rank
        return None

    def _made(self, rank: int) -> list[_Wildcard]:
        made = self._wildcards[rank] = _wildcards(self._buckets[rank])
        return made
