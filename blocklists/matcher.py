"""Whether a host is listed: every entry that names it or a parent of it, with its source.

Decides nothing about blocking a request; `policies.rules.piracy` does, from these hits.
Probes the host and every parent at label boundaries and never collapses to the registrable domain: a listed
`bad.example.com` covers `a.bad.example.com` and leaves `example.com` alone.
Callers depend on the protocol `Matcher`, so that a compiled form can replace the dictionaries.
Pure once built; no clock, no files.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import chain, groupby
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote_to_bytes

from blocklists.entries import Entries
from blocklists.entry import BLOCKING, Entry, EntryAction, Match, Source, Weight
from blocklists.errors import ListError
from blocklists.host import is_ip_address
from blocklists.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One entry that names the host, and the list that holds it."""

    entry: Entry
    source: Source


class Matcher(Protocol):
    """What a rule needs of the block lists."""

    def match(self, host: str, *, now_us: int, url: str = "") -> tuple[Hit, ...]:
        """Return every entry in force that names a canonical host, most specific first; else ().

        `host` is the result of `blocklists.host.canonical_host`; `url` is the whole URL, needed only for
        entries that name a path; `now_us` is UTC in microseconds, for entries with a term.
        Hits of one specificity are in order of source id and line.
        """
        ...

    def __len__(self) -> int:
        """Return the number of entries."""
        ...


# Where an entry stands: its number over all lists, or the numbers of several entries of one name.
_Places = int | tuple[int, ...]


class DictMatcher:
    """Dictionaries keyed by host, and a walk over the parents: about a microsecond a check.

    A duplicate row of one source is dropped for the first one; the same name in several sources, or under
    several decisions, keeps them all. Raises ListError for an entry of an unknown source.
    """

    __slots__ = (
        "_below",
        "_count",
        "_exact",
        "_firsts",
        "_made",
        "_prefixes",
        "_sources",
        "_subtrees",
        "_tables",
    )

    def __init__(self, entries: Iterable[Entry], sources: Iterable[Source]) -> None:
        ordered = sorted(entries, key=lambda entry: (entry.source_id, entry.line_no))
        self._index(
            [Entries.of(group) for _, group in groupby(ordered, key=lambda entry: entry.source_id)], sources
        )

    @classmethod
    def of(cls, tables: Iterable[Entries], sources: Iterable[Source]) -> DictMatcher:
        """Index whole lists: the same as of their entries, without making an `Entry` of each row."""
        matcher = cls.__new__(cls)
        matcher._index(  # noqa: SLF001 - our own
            sorted(tables, key=lambda table: table.source_id), sources
        )
        return matcher

    def _index(self, tables: list[Entries], sources: Iterable[Source]) -> None:
        by_id = {source.source_id: source for source in sources}
        self._exact: dict[str, _Places] = {}
        self._subtrees: dict[str, _Places] = {}
        self._below: dict[str, _Places] = {}
        self._prefixes: dict[str, _Places] = {}
        self._tables: list[Entries] = []
        self._sources: list[Source] = []
        self._firsts: list[int] = []
        self._made: dict[int, Hit] = {}
        self._count = 0
        first = 0
        for table in tables:
            if table.source_id not in by_id:
                raise ListError(
                    f"list entry {table.rows.patterns[0]!r} names source {table.source_id!r}, which does not "
                    "exist; give every entry the id of its manifest"
                )
            self._tables.append(table)
            self._sources.append(by_id[table.source_id])
            self._firsts.append(first)
            self._count += self._add(table, first)
            first += len(table)

    def _add(self, table: Entries, first: int) -> int:
        """Put the rows of a list into the dictionaries and return how many were new."""
        rows = table.rows
        common = self._table_of(rows.scope)
        special = rows.special
        if not (common or special):  # the first list, in one step
            common.update(zip(rows.patterns, range(first, first + len(rows)), strict=True))
            return len(common)
        count = 0
        for at, pattern in enumerate(rows.patterns):
            row = special.get(at) if special else None
            found = common if row is None else self._table_of(row.match)
            key = pattern if row is None or row.match is not Match.URL_PREFIX else _prefix_host(pattern)
            present = found.setdefault(key, first + at)
            if present != first + at:
                numbers = (present,) if isinstance(present, int) else present
                entry = table[at]
                if any(number >= first and _same_rule(table[number - first], entry) for number in numbers):
                    continue
                found[key] = (*numbers, first + at)
            count += 1
        return count

    def _table_of(self, match: Match) -> dict[str, _Places]:
        if match is Match.SUBTREE:
            return self._subtrees
        if match is Match.URL_PREFIX:
            return self._prefixes
        return self._below if match is Match.BELOW else self._exact

    def __len__(self) -> int:
        return self._count

    def match(self, host: str, *, now_us: int, url: str = "") -> tuple[Hit, ...]:
        """Return every entry in force that names a canonical host (see `Matcher.match`)."""
        found: list[_Places] = []
        if self._prefixes and host in self._prefixes:
            found.extend(self._paths(host, url))
        if host in self._exact:
            found.append(self._exact[host])
        subtrees, below = self._subtrees, self._below
        name = host
        while True:
            if name in subtrees:
                found.append(subtrees[name])
            dot = name.find(".")
            if dot < 0:
                break
            name = name[dot + 1 :]
            if below and name in below:
                found.append(below[name])
        if not found:
            return ()
        numbers = chain.from_iterable((one,) if isinstance(one, int) else one for one in found)
        hits = (self._made.get(number) or self._hit(number) for number in numbers)
        return tuple(hit for hit in hits if hit.entry.in_force(now_us))

    def _paths(self, host: str, url: str) -> list[_Places]:
        """Return the path entries of a host that cover a URL, the longest path first."""
        places = self._prefixes[host]
        target = _target(url)
        hits = {
            number: self._hit(number).entry.pattern
            for number in ((places,) if isinstance(places, int) else places)
        }
        covering = [number for number, pattern in hits.items() if _covers(_listed_target(pattern), target)]
        return [*sorted(covering, key=lambda number: -len(hits[number]))]

    def _hit(self, number: int) -> Hit:
        """Return the hit of an entry, made once: a crawl meets few of a million rows."""
        made = self._made.get(number)
        if made is None:
            at = bisect_right(self._firsts, number) - 1
            entry = self._tables[at][number - self._firsts[at]]
            made = self._made[number] = Hit(entry=entry, source=self._sources[at])
        return made


def reaches(entry: Entry, host: str, url: str = "") -> bool:
    """Whether an entry names a canonical host (and, for a path entry, the URL), whatever found it.

    For an index that looks up a host and its parents in one table: what it finds still has to pass this.
    """
    if entry.match is Match.URL_PREFIX:
        return _prefix_host(entry.pattern) == host and _covers(_listed_target(entry.pattern), _target(url))
    if entry.match is Match.SUBTREE:
        return host == entry.pattern or host.endswith(f".{entry.pattern}")
    if entry.match is Match.BELOW:
        return host.endswith(f".{entry.pattern}")
    return host == entry.pattern


def blocking_hits(
    hits: tuple[Hit, ...], *, weights: frozenset[Weight] | Profile = BLOCKING
) -> tuple[Hit, ...]:
    """Return the hits that block: a block that counts, that its own source does not lift, nor an override.

    `hits` come as `Matcher.match` orders them; `weights` or a profile say which entries count. An allow entry
    lifts the blocks of its own source that are as specific or less, and never another source's; a block
    marked important withstands it, unless the allow entry is important too. An override lifts everything.
    """
    return () if overriding_hits(hits) else standing_blocks(hits, weights=weights)


def overriding_hits(hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
    """Return the operator's overrides among the hits."""
    return tuple(hit for hit in hits if hit.entry.action is EntryAction.OVERRIDE)


def standing_blocks(
    hits: tuple[Hit, ...], *, weights: frozenset[Weight] | Profile = BLOCKING
) -> tuple[Hit, ...]:
    """Return the hits that would block if no override existed (see `blocking_hits`)."""
    allowed: dict[tuple[str, bool], int] = {}
    for hit in hits:
        if hit.entry.action is EntryAction.ALLOW:
            reach = _specificity(hit.entry)
            for withstood in (False, True) if hit.entry.important else (False,):
                key = (hit.entry.source_id, withstood)
                allowed[key] = max(reach, allowed.get(key, reach))
    return tuple(
        hit
        for hit in hits
        if hit.entry.action is EntryAction.BLOCK
        and (
            weights.blocks(hit.entry, hit.source)
            if isinstance(weights, Profile)
            else hit.entry.weight in weights
        )
        and _specificity(hit.entry) > allowed.get((hit.entry.source_id, hit.entry.important), -1)
    )


def _same_rule(one: Entry, other: Entry) -> bool:
    return (
        one.source_id == other.source_id
        and one.pattern == other.pattern
        and one.match is other.match
        and one.action is other.action
        and one.important is other.important
        and (one.valid_from, one.valid_until) == (other.valid_from, other.valid_until)
        and (one.weight, one.authority, one.jurisdiction)
        == (other.weight, other.authority, other.jurisdiction)
        and (one.decision_ref, one.decision_date) == (other.decision_ref, other.decision_date)
    )


def _specificity(entry: Entry) -> int:
    """Return how narrow an entry is: more labels are narrower, then exact before subtree, then paths."""
    host = _prefix_host(entry.pattern)
    labels = 128 if is_ip_address(host) else host.count(".") + 1
    if entry.match is Match.URL_PREFIX:
        return (labels * 4 + 2) * 100_000 + len(entry.pattern)
    return (labels * 4 + (entry.match not in (Match.SUBTREE, Match.BELOW))) * 100_000


def _prefix_host(pattern: str) -> str:
    return pattern.partition("/")[0]


def _listed_target(pattern: str) -> tuple[bytes, str]:
    return _split_target(pattern[len(_prefix_host(pattern)) :])


def _target(url: str) -> tuple[bytes, str]:
    """Return decoded path and raw query of an absolute URL."""
    after = url.partition("://")[2].partition("#")[0]
    ends = [at for at in (after.find("/"), after.find("?")) if at >= 0]
    return _split_target(after[min(ends) :] if ends else "/")


def _split_target(target: str) -> tuple[bytes, str]:
    path, _, query = target.partition("?")
    segments: list[bytes] = []
    for segment in unquote_to_bytes(path).split(b"/")[1:]:
        if segment == b"..":
            del segments[-1:]
        elif segment != b".":
            segments.append(segment)
    return b"/" + b"/".join(segments), query


def _covers(listed: tuple[bytes, str], asked: tuple[bytes, str]) -> bool:
    """Whether a listed path covers the asked one at a segment boundary; a listed query has to be met."""
    listed_path, listed_query = listed
    path, query = asked
    if listed_query:
        return path == listed_path and (query == listed_query or query.startswith(listed_query + "&"))
    return path == listed_path or path.startswith(listed_path.rstrip(b"/") + b"/")
