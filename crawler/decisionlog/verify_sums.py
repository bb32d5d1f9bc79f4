"""Sums the records of a segment by host while they are verified, and compares that with what was sealed.

Knows the columns of records as a verification has them (texts are octets), so that a log and a package are
summed by the same code and no record is read twice. Needs memory for each host and kind of record of the
segment, none for each record.
"""

from __future__ import annotations

from array import array
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from crawler.decisionlog.canonical import canonical
from crawler.decisionlog.encoding import field_text
from crawler.decisionlog.encoding_columns import words_of
from crawler.decisionlog.findings import Findings, Problem
from crawler.decisionlog.rollup import COUNTED, host_key, row_leaf
from crawler.decisionlog.tree import CompactRange

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from crawler.decisionlog.registry_state import Told
    from crawler.decisionlog.rollup import SumRow
    from crawler.decisionlog.verify_segment import SegmentClaim
    from crawler.decisionlog.verify_source import Page

_NAMES: Final = tuple(COUNTED.values())
_NUMBERED: Final = {
    (stage.encode(), verdict.encode()): _NAMES.index(name) for (stage, verdict), name in COUNTED.items()
}
_HOST: Final = 5  # among fields 9 to 15 of a record


class _Host:
    """What is known of a host, from its first group of records on."""

    __slots__ = ("counts", "first_idx", "first_us", "last_idx", "last_us", "policies", "reasons")

    def __init__(self, policy: bytes, ends: tuple[int, int, int, int]) -> None:
        self.counts = [0] * len(_NAMES)
        self.reasons: dict[bytes, int] = {}
        self.policies: tuple[bytes, ...] = (policy,)
        self.first_idx, self.last_idx, self.first_us, self.last_us = ends

    def add(self, policy: bytes, ends: tuple[int, int, int, int]) -> None:
        """Take in another group."""
        if policy not in self.policies:
            self.policies = (*self.policies, policy)
        first_idx, last_idx, first_us, last_us = ends
        self.first_idx = min(first_idx, self.first_idx)
        self.last_idx = max(last_idx, self.last_idx)
        self.first_us = min(first_us, self.first_us)
        self.last_us = max(last_us, self.last_us)


class HostSums:
    """The sums of one segment: `take` its records in order of index, then take `rows`."""

    def __init__(self) -> None:
        # By policy, then by fields 9 to 15 of the record: where in the columns below the group is.
        self._groups: dict[bytes, dict[bytes, int]] = {}
        self._count: list[int] = []
        self._first_idx = array("q")
        self._last_idx: list[int] = []
        self._first_us = array("q")
        self._last_us: list[int] = []

    def take(self, policy: bytes, fields: Sequence[bytes], idx: Sequence[int], ts_us: Sequence[int]) -> None:
        """Count records of one policy. `fields` are their encoded fields 9 to 15.

        Raises TypeError or OverflowError on an index or time that is none.
        """
        groups = self._groups.setdefault(policy, {})
        find, count, last_idx, last_us = groups.get, self._count, self._last_idx, self._last_us
        for words, here, time in zip(fields, idx, ts_us, strict=True):
            at = find(words)
            if at is None:
                self._first_idx.append(here)
                self._first_us.append(time)
                groups[words] = len(count)
                count.append(1)
                last_idx.append(here)
                last_us.append(time)
            else:
                count[at] += 1
                last_idx[at] = here
                if time >= last_us[at]:
                    last_us[at] = time
                elif time < self._first_us[at]:
                    self._first_us[at] = time

    def take_each(self, page: Page, contexts: Mapping[int, tuple[bytes, bytes, bytes]]) -> bool:
        """Count the records of a page one by one; False when one of them is nothing that was written."""
        idx, ts_us, *_ = columns = page.columns
        try:
            for at, number in enumerate(columns[21]):
                fields = b"".join(field_text(column[at]) for column in columns[3:10])
                self.take(contexts[number][1], (fields,), idx[at : at + 1], ts_us[at : at + 1])
        except (TypeError, ValueError, OverflowError):
            return False
        return True

    def rows(self) -> Iterator[SumRow]:
        """Yield the rows in order of the octets of their keys. Raises ValueError for a text that is none."""
        hosts = self._hosts()
        reasons_of = lru_cache(maxsize=4096)(_object)
        policies_of = lru_cache(maxsize=1024)(_list)
        for key in sorted(hosts):
            host = hosts[key]
            fetch, skip, defer, keep, drop = host.counts
            yield (
                key.decode(), fetch, skip, defer, keep, drop,
                reasons_of(tuple(sorted(host.reasons.items()))), policies_of(host.policies),
                host.first_us, host.last_us, host.first_idx, host.last_idx,
            )  # fmt: skip

    def _hosts(self) -> dict[bytes, _Host]:
        """Return the hosts by key; what was counted is forgotten."""
        hosts: dict[bytes, _Host] = {}
        for policy, groups in self._groups.items():
            while groups:
                fields, at = groups.popitem()
                count, ends = self._count[at], self._ends(at)
                stage, verdict, reason, _, _, name, _ = words_of(fields)
                if name is None:
                    continue
                key = host_key(name.decode()).encode()
                host = hosts.get(key)
                if host is None:
                    host = hosts[key] = _Host(policy, ends)
                else:
                    host.add(policy, ends)
                number = _NUMBERED.get((stage or b"", verdict or b""))
                if number is not None and reason is not None:
                    host.counts[number] += count
                    host.reasons[reason] = host.reasons.get(reason, 0) + count
        return hosts

    def _ends(self, at: int) -> tuple[int, int, int, int]:
        """Return first and last index, first and last time of a group."""
        return self._first_idx[at], self._last_idx[at], self._first_us[at], self._last_us[at]


def _object(items: tuple[tuple[bytes, int], ...]) -> str:
    return canonical({name.decode(): count for name, count in items})


def _list(digests: tuple[bytes, ...]) -> str:
    return canonical(sorted(digest.hex() for digest in digests))


def compare_sums(
    claim: SegmentClaim,
    told: Told | None,
    stored: Iterable[SumRow],
    computed: HostSums | None,
    findings: Findings,
) -> None:
    """Compare stored sums with the root in the seal, and with those of the records, where there are any."""

    def find(text: str) -> None:
        findings.add(Problem.ROLLUP_WRONG, text, claim.uuid)

    seal = None if told is None else told.seal
    tree, same = CompactRange(), True
    try:
        rows = iter(()) if computed is None or seal is None else computed.rows()
        leaves = []
        for row in stored:
            leaves.append(row_leaf(row))
            same = same and (computed is None or row == next(rows, None))
        same = same and next(rows, None) is None
    except (ValueError, TypeError, AttributeError) as error:
        find(f"its sums by host are not what a writer writes: {error}")
        return
    tree.extend(leaves)
    if seal is None:
        if tree.size:
            find("it has sums by host, and no seal with their root")
    elif (tree.size, tree.root().hex()) != (seal.rollup_size, seal.rollup_root):
        find("its sums by host do not give the root in its seal")
    elif not same:
        find("its sums by host are not those of its records")
