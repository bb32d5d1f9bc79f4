"""Whether a host is listed: every entry that names it or a parent of it, with its source.

Decides nothing about blocking a request; `policies.rules.piracy` does, from these hits.
Probes the host and every parent at label boundaries and never collapses to the registrable domain: a listed
`bad.example.com` covers `a.bad.example.com` and leaves `example.com` alone.
Callers depend on the protocol `Matcher`, so that a compiled form can replace the dictionaries.
Pure once built; no clock, no files.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote_to_bytes

from blocklists.entry import BLOCKING, Entry, EntryAction, Match, Source, Weight
from blocklists.errors import ListError
from blocklists.host import is_ip_address

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


class DictMatcher:
    """Dictionaries keyed by host, and a walk over the parents: about a microsecond a check.

    A duplicate row of one source is dropped for the first one; the same name in several sources keeps
    them all. Raises ListError for an entry of an unknown source.
    """

    __slots__ = ("_count", "_exact", "_prefixes", "_subtrees")

    def __init__(self, entries: Iterable[Entry], sources: Iterable[Source]) -> None:
        by_id = {source.source_id: source for source in sources}
        self._exact: dict[str, tuple[Hit, ...]] = {}
        self._subtrees: dict[str, tuple[Hit, ...]] = {}
        self._prefixes: dict[str, tuple[Hit, ...]] = {}
        self._count = 0
        for entry in sorted(entries, key=lambda entry: (entry.source_id, entry.line_no)):
            if entry.source_id not in by_id:
                raise ListError(
                    f"list entry {entry.pattern!r} names source {entry.source_id!r}, which does not exist; "
                    "give every entry the id of its manifest"
                )
            self._add(entry, by_id[entry.source_id])

    def _add(self, entry: Entry, source: Source) -> None:
        table: dict[str, tuple[Hit, ...]]
        key = entry.pattern
        if entry.match is Match.SUBTREE:
            table = self._subtrees
        elif entry.match is Match.URL_PREFIX:
            table = self._prefixes
            key = _prefix_host(entry.pattern)
        else:
            table = self._exact
        present = table.get(key, ())
        if any(_same_rule(hit.entry, entry) for hit in present):
            return
        table[key] = (*present, Hit(entry=entry, source=source))
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def match(self, host: str, *, now_us: int, url: str = "") -> tuple[Hit, ...]:
        """Return every entry in force that names a canonical host (see `Matcher.match`)."""
        found: list[tuple[Hit, ...]] = []
        if self._prefixes and host in self._prefixes:
            target = _target(url)
            found.append(
                tuple(
                    hit for hit in self._prefixes[host] if _covers(_listed_target(hit.entry.pattern), target)
                )
            )
        if self._exact and host in self._exact:
            found.append(self._exact[host])
        subtrees = self._subtrees
        name = host
        while True:
            if name in subtrees:
                found.append(subtrees[name])
            dot = name.find(".")
            if dot < 0:
                break
            name = name[dot + 1 :]
        if not found:
            return ()
        return tuple(hit for hit in chain.from_iterable(found) if hit.entry.in_force(now_us))


def blocking_hits(hits: tuple[Hit, ...], *, weights: frozenset[Weight] = BLOCKING) -> tuple[Hit, ...]:
    """Return the hits that block: a block of a blocking weight that its own source does not lift.

    `hits` come as `Matcher.match` orders them. An allow entry lifts the blocks of its own source that are
    as specific or less; it never lifts another source's block.
    """
    allowed: dict[str, int] = {}
    for hit in hits:
        if hit.entry.action is EntryAction.ALLOW:
            reach = _specificity(hit.entry)
            allowed[hit.entry.source_id] = max(reach, allowed.get(hit.entry.source_id, reach))
    return tuple(
        hit
        for hit in hits
        if hit.entry.action is EntryAction.BLOCK
        and hit.entry.weight in weights
        and _specificity(hit.entry) > allowed.get(hit.entry.source_id, -1)
    )


def _same_rule(one: Entry, other: Entry) -> bool:
    return (
        one.source_id == other.source_id
        and one.pattern == other.pattern
        and one.match is other.match
        and one.action is other.action
        and (one.valid_from, one.valid_until) == (other.valid_from, other.valid_until)
    )


def _specificity(entry: Entry) -> int:
    """Return how narrow an entry is: more labels are narrower, then exact before subtree, then paths."""
    host = _prefix_host(entry.pattern)
    labels = 128 if is_ip_address(host) else host.count(".") + 1
    if entry.match is Match.URL_PREFIX:
        return (labels * 4 + 2) * 100_000 + len(entry.pattern)
    return (labels * 4 + (entry.match is not Match.SUBTREE)) * 100_000


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
