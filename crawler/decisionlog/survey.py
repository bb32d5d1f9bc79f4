"""Reads a segment that gets no more records, before it is sealed: its sums by host, and where each host is.

One pass over the records, and another over those of hosts with many (`url_index`), a page a read transaction,
so that nobody who writes is kept waiting. What is left to the transaction that seals is two rows a host
(`write`), and a row for 512 records of a host with many. Whoever surveys a segment has its lock.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from crawler.decisionlog import schema, store
from crawler.decisionlog.canonical import canonical
from crawler.decisionlog.errors import IntegrityError
from crawler.decisionlog.rollup import Group, HostSum, host_key, host_of, pack_places, sum_of
from crawler.decisionlog.tree import CompactRange
from crawler.decisionlog.url_index import FEWEST, index_urls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Select
    from sqlalchemy.engine import Connection

    from crawler.decisionlog.place import LogPlace
    from crawler.decisionlog.session import Value
    from crawler.decisionlog.url_index import UrlIndex

_PAGE: Final = 20_000  # some 50 ms for which SQLite may keep a writer waiting
_ONE_OCTET: Final = 0x80  # differences below it take one, which nearly all do
_R: Final = schema.record.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A segment as it is to be sealed. `sums` and `postings` are rows of the tables, in the order of keys.

    Times are those of the first and the last record, None without one; `last_leaf` is the last leaf hash.
    """

    size: int
    first_us: int | None
    last_us: int | None
    last_leaf: bytes | None
    sums: Sequence[tuple[Value, ...]]
    sums_root: bytes
    postings: Sequence[tuple[Value, ...]]
    urls: UrlIndex


class _Host:
    """What is known of the records of one host; `counts` by the number of a kind of record."""

    __slots__ = ("counts", "first_idx", "first_us", "last_idx", "last_us", "places")

    def __init__(self, idx: int, ts_us: int) -> None:
        self.counts: dict[int, int] = {}
        self.first_us = self.last_us = ts_us
        self.first_idx = idx
        self.last_idx = -1
        self.places = bytearray()


class _Hosts:
    """Counts the records of each host as they come."""

    def __init__(self) -> None:
        self._by_name: dict[str, _Host] = {}
        self._by_key: dict[str, _Host] = {}
        self._kinds: dict[tuple[str, str, str, int], int] = {}

    def take(self, rows: Sequence[Any]) -> None:
        """Count a page of records, which come after those before it."""
        by_name, kinds = self._by_name, self._kinds
        for idx, _, ts_us, host, stage, verdict, reason, context in rows:
            if host is None:
                continue
            one = by_name.get(host)
            if one is None:
                one = by_name[host] = self._by_key.setdefault(host_key(host), _Host(idx, ts_us))
            kind = kinds.setdefault((stage, verdict, reason, context), len(kinds))
            one.counts[kind] = one.counts.get(kind, 0) + 1
            gap = idx - one.last_idx - 1
            if gap < _ONE_OCTET:
                one.places.append(gap)
            else:
                one.places += pack_places((gap,))
            one.last_idx = idx
            if ts_us < one.first_us:
                one.first_us = ts_us
            elif ts_us > one.last_us:
                one.last_us = ts_us

    def large(self) -> dict[str, int]:
        """Return the number of records of the hosts that have many, and are written in one way only."""
        ways = Counter(map(id, self._by_name.values()))
        counts = {name: sum(one.counts.values()) for name, one in self._by_name.items() if ways[id(one)] == 1}
        return {name: count for name, count in counts.items() if count >= FEWEST}

    def finish(self, policies: Mapping[int, bytes]) -> Iterator[tuple[HostSum, bytes]]:
        """Yield sum and packed places of each host in the order of keys, and forget it."""
        self._by_name.clear()
        kinds = list(self._kinds)
        for key in sorted(self._by_key, key=str.encode):
            one = self._by_key.pop(key)
            span = (one.first_us, one.last_us, one.first_idx, one.last_idx)
            groups = []
            for number, count in one.counts.items():
                stage, verdict, reason, context = kinds[number]
                policy = policies.get(context)
                if policy is None:
                    raise IntegrityError(
                        f"a record of host {host_of(key)} has context {context}, which is gone:"
                        " run `sekisho log verify`"
                    )
                groups.append(Group(key, stage, verdict, reason, policy, count, *span))
            yield sum_of(key, groups), bytes(one.places)


def pages(connection: Connection, number: int) -> Iterator[Sequence[Any]]:
    """Yield the records of a segment, each page in a read transaction of its own unless one is open.

    Rows are (idx, leaf_hash, ts_us, host, stage, verdict, reason, context_id).
    """
    columns = (_R.idx, _R.leaf_hash, _R.ts_us, _R.host, _R.stage, _R.verdict, _R.reason, _R.context_id)
    statement: Select[Any] = select(*columns).where(_R.segment_id == number).order_by(_R.idx).limit(_PAGE)
    after = -1
    while rows := connection.execute(statement.where(_R.idx > after)).all():
        yield rows
        after = rows[-1].idx


def survey(
    connection: Connection,
    place: LogPlace,
    number: int,
    records: Iterable[Sequence[Any]],
    sign: Callable[[bytes], bytes],
) -> Survey:
    """Take in a segment's records, which are what `pages` yields. Raises the database's errors.

    `sign` is that of the log's key, for the indexes of URLs.
    """
    hosts, size, first_us, last = _Hosts(), 0, None, None
    for rows in records:
        first_us = rows[0].ts_us if last is None else first_us
        last = rows[-1]
        size += len(rows)
        hosts.take(rows)
    kept = store.keeping(place) or str
    urls = index_urls(connection, number, size, hosts.large(), kept=kept, sign=sign)
    reasons = lru_cache(maxsize=4096)(lambda pairs: kept(canonical(dict(pairs))))  # few differ
    policies = lru_cache(maxsize=4096)(lambda digests: kept(canonical(digests)))
    sums: list[tuple[Value, ...]] = []
    postings: list[tuple[Value, ...]] = []
    tree = CompactRange()
    for one, places in hosts.finish(_policies(connection)):
        tree.extend((one.leaf,))
        key = kept(one.host_key)
        sums.append((
            key, number, one.n_fetch, one.n_skip, one.n_defer, one.n_keep, one.n_drop,
            reasons(one.reasons), policies(one.policies),
            one.first_us, one.last_us, one.first_idx, one.last_idx,
        ))  # fmt: skip
        postings.append((key, number, places))
    return Survey(
        size=size,
        first_us=first_us,
        last_us=None if last is None else last.ts_us,
        last_leaf=None if last is None else last.leaf_hash,
        sums=sums,
        sums_root=tree.root(),
        postings=postings,
        urls=urls,
    )


def _policies(connection: Connection) -> dict[int, bytes]:
    """Return the digest of the policy of each context."""
    column = schema.context.c
    rows = connection.execute(select(column.id, column.policy_sha256))
    return {row.id: row.policy_sha256 for row in rows}


def write(connection: Connection, survey: Survey) -> None:
    """Store the sums and places of a segment that is about to be sealed, in the present transaction.

    The index of URLs is written by whoever seals, under the lock of those who erase.
    """
    append = store.appender(connection)
    append(schema.posting, survey.postings)
    append(schema.rollup, survey.sums)
