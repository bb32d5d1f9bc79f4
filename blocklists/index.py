"""Which names are listed: the part of a matcher that every request asks, without a row of provenance.

An index answers one question, which listed names a host stands under; the rows behind a name are read when
one is hit (`store_rows`). Two forms give the same answer: a set of names in memory, and a trie that is
mapped from disk and shared by every process (`index_marisa`).
Names are kept under three kinds, because they reach differently: a subtree, one host (or address), and the
host of a URL prefix. Pure; no clock, no files.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from blocklists.entry import Match
from blocklists.errors import ListError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class IndexChoice(StrEnum):
    """How the names of a compiled snapshot are held."""

    AUTO = "auto"  # mapped when the snapshot has such an index and marisa-trie is installed
    MEMORY = "memory"
    MAPPED = "mapped"


class Kind(StrEnum):
    """How a listed name reaches; the value ends its key in a mapped index."""

    SUBTREE = "."
    EXACT = "="
    PREFIX = "/"


_NARROW: dict[Match, Kind] = {
    Match.HOST: Kind.EXACT,
    Match.IP: Kind.EXACT,
    Match.URL_PREFIX: Kind.PREFIX,
}


def kind_of(match: Match) -> Kind:
    """Return how the name of an entry reaches: whatever may cover hosts below it is a subtree to an index."""
    return _NARROW.get(match, Kind.SUBTREE)


class NameIndex(Protocol):
    """What a matcher needs of an index."""

    def find(self, host: str) -> tuple[str, ...]:
        """Return the listed names that a canonical host stands under, itself first; else ().

        A name may be returned whose rows do not cover the URL (a path); never the other way round.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Every listed name, each kind sorted and without repeats."""

    subtree: tuple[str, ...]
    exact: tuple[str, ...]
    prefix: tuple[str, ...]


def encode_names(names: Names) -> bytes:
    """Return the names file: three sections (subtree, exact, prefix), one name a line, split by empty lines.

    ASCII, LF, no line end after the last name; an empty section leaves its two separators standing.
    """
    return "\n\n".join("\n".join(section) for section in (names.subtree, names.exact, names.prefix)).encode()


def decode_names(octets: bytes) -> Names:
    """Return what `encode_names` wrote; ListError when it is something else."""
    try:
        sections = octets.decode("ascii").split("\n\n")
    except UnicodeDecodeError as error:
        raise ListError(f"the names file of the snapshot is damaged at octet {error.start}") from error
    if len(sections) != len(Kind):
        raise ListError(f"the names file of the snapshot has {len(sections)} sections and not {len(Kind)}")
    subtree, exact, prefix = (tuple(section.split("\n")) if section else () for section in sections)
    return Names(subtree=subtree, exact=exact, prefix=prefix)


class SetIndex:
    """Names in memory: about half a microsecond a check, about 120 octets a name."""

    __slots__ = ("_hosts", "_subtrees")

    def __init__(self, names: Names) -> None:
        self._subtrees = frozenset(names.subtree)
        self._hosts = frozenset((*names.exact, *names.prefix))

    def find(self, host: str) -> tuple[str, ...]:
        """Return the listed names that a host stands under (see `NameIndex.find`)."""
        found: list[str] = []
        if host in self._hosts:
            found.append(host)
        subtrees = self._subtrees
        name = host
        while True:
            if name in subtrees and name not in found:
                found.append(name)
            dot = name.find(".")
            if dot < 0:
                return tuple(found)
            name = name[dot + 1 :]


def collect_names(
    keys: Iterable[tuple[str, Match]], columns: Iterable[tuple[Match, Sequence[str]]] = ()
) -> Names:
    """Return the names of (host, match) pairs and of whole columns of hosts with one match, sorted.

    No host is there twice in one column.
    """
    given: dict[Kind, list[Sequence[str]]] = {kind: [] for kind in Kind}
    for match, hosts in columns:
        given[kind_of(match)].append(hosts)
    single: dict[Kind, list[str]] = {kind: [] for kind in Kind}
    for host, match in keys:
        single[kind_of(match)].append(host)
    return Names(
        subtree=_merged(given[Kind.SUBTREE], single[Kind.SUBTREE]),
        exact=_merged(given[Kind.EXACT], single[Kind.EXACT]),
        prefix=_merged(given[Kind.PREFIX], single[Kind.PREFIX]),
    )


def _merged(columns: list[Sequence[str]], others: list[str]) -> tuple[str, ...]:
    if len(columns) == 1 and not others:  # a large list is often sorted already, and that is seen at once
        return tuple(sorted(columns[0]))
    return tuple(sorted(set(others).union(*columns)))
