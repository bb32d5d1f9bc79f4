"""Sums the records of a segment by host while they are verified, and compares that with what was sealed.

Knows the columns of records as a verification has them (texts are octets), so that a log and a package are
summed by the same code and no record is read twice. Needs memory for each host and kind of record of the
segment, none for each record.
"""

from __future__ import annotations

from array import array
from functools import lru_cache
from secrets import randbelow
from typing import TYPE_CHECKING, Final

from crawler.decisionlog.canonical import canonical
from crawler.decisionlog.findings import Findings, Problem
from crawler.decisionlog.rollup import COUNTED, host_key, row_leaf
from crawler.decisionlog.tree import CompactRange
from crawler.decisionlog.uncollected import uncollected

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
PRIME: Final = 2**30 - 35  # one digit of CPython's integers: a larger one costs a twentieth of a verification
_TEXTS: Final = frozenset({bytes, type(None)})


class _Host:
    """What is known of a host."""

    __slots__ = (
        "come_to", "counts", "first_idx", "first_us", "last_idx", "last_us", "policies", "reasons", "records",
    )  # fmt: skip

    def __init__(self) -> None:
        self.counts = [0] * len(_NAMES)
        self.reasons: list[tuple[bytes, int]] = []  # each with a count, some perhaps twice
        self.policies: tuple[bytes, ...] = ()
        self.records, self.come_to = 0, 1
        self.first_idx = self.first_us = 2**63
        self.last_idx = self.last_us = -(2**63)


class HostSums:
    """The sums of one segment: `take` its records in order of index, then take `rows`.

    After that `places` says for each key how many records the host has, and what their indices come to: the
    product of each plus `secret`, modulo `PRIME`. Whoever does not know `secret` finds no others that come to
    the same, but by chance: one in 2**29 for each that is another (a polynomial has no more zeros than that).
    """

    def __init__(self) -> None:
        # By policy, stage, verdict and reason, then by host: where in the columns below the group is.
        self._groups: dict[tuple[bytes, tuple[bytes | None, ...]], dict[bytes, int]] = {}
        self.places: dict[str, tuple[int, int]] = {}
        self.secret = randbelow(PRIME // 2)
        self._count: list[int] = []
        self._come_to: list[int] = []
        self._first_idx = array("q")
        self._last_idx: list[int] = []
        self._first_us = array("q")
        self._last_us: list[int] = []

    def group(self, policy: bytes, *words: bytes | None) -> dict[bytes, int]:
        """Return what `take` wants for records of a policy digest, stage, verdict and reason."""
        return self._groups.setdefault((policy, words), {})

    def take(
        self,
        idx: Sequence[int],
        ts_us: Sequence[int],
        names: Sequence[bytes | None],
        groups: Sequence[dict[bytes, int]],
    ) -> None:
        """Count records by index, time, host and what `group` gave for each.

        Raises TypeError or OverflowError on an index or time that is none.
        """
        count, come_to, last_idx, last_us = self._count, self._come_to, self._last_idx, self._last_us
        secret, prime = self.secret, PRIME
        for here, time, host, hosts in zip(idx, ts_us, names, groups, strict=True):
            if host is None:
                continue
            at = hosts.get(host)
            if at is None:
                self._first_idx.append(here)
                self._first_us.append(time)
                hosts[host] = len(count)
                count.append(1)
                come_to.append(here + secret)
                last_idx.append(here)
                last_us.append(time)
            else:
                count[at] += 1
                come_to[at] = come_to[at] * (here + secret) % prime
                last_idx[at] = here
                if time >= last_us[at]:
                    last_us[at] = time
                elif time < self._first_us[at]:
                    self._first_us[at] = time

    def take_each(self, page: Page, contexts: Mapping[int, tuple[bytes, bytes, bytes]]) -> bool:
        """Count the records of a page one by one; False when one of them is nothing that was written."""
        idx, ts_us, _, stage, verdict, reason, _, _, host, *_ = columns = page.columns
        try:
            for number, here, time, name, *words in zip(
                columns[21], idx, ts_us, host, stage, verdict, reason, strict=True
            ):
                if not set(map(type, (name, *words))) <= _TEXTS:
                    return False
                self.take((here,), (time,), (name,), (self.group(contexts[number][1], *words),))
        except (TypeError, ValueError, OverflowError):
            return False
        return True

    def rows(self) -> Iterator[SumRow]:
        """Yield the rows in order of the octets of their keys. Raises ValueError for a text that is none."""
        hosts = self._hosts()
        reasons_of = lru_cache(maxsize=4096)(_object)
        policies_of = lru_cache(maxsize=1024)(_list)
        for octets in sorted(hosts):
            host, key = hosts[octets], octets.decode()
            fetch, skip, defer, keep, drop = host.counts
            self.places[key] = host.records, host.come_to
            yield (
                key, fetch, skip, defer, keep, drop,
                reasons_of(tuple(host.reasons)), policies_of(host.policies),
                host.first_us, host.last_us, host.first_idx, host.last_idx,
            )  # fmt: skip

    def _hosts(self) -> dict[bytes, _Host]:
        """Return the hosts by key; what was counted is forgotten."""
        hosts: dict[bytes, _Host] = {}
        by_name: dict[bytes, _Host] = {}  # several names may have one key
        while self._groups:
            (policy, (stage, verdict, reason)), group = self._groups.popitem()
            number = _NUMBERED.get((stage or b"", verdict or b""))
            while group:
                name, at = group.popitem()
                host = by_name.get(name)
                if host is None:
                    key = host_key(name.decode()).encode()
                    host = by_name[name] = hosts.setdefault(key, _Host())
                # Not by min and max: they would take longer than all the rest.
                if host.first_idx > (value := self._first_idx[at]):
                    host.first_idx = value
                if host.first_us > (value := self._first_us[at]):
                    host.first_us = value
                if host.last_idx < (value := self._last_idx[at]):
                    host.last_idx = value
                if host.last_us < (value := self._last_us[at]):
                    host.last_us = value
                if policy not in host.policies:
                    host.policies = (*host.policies, policy)
                count = self._count[at]
                host.records += count
                host.come_to = host.come_to * self._come_to[at] % PRIME
                if number is not None and reason is not None:
                    host.counts[number] += count
                    host.reasons.append((reason, count))
        return hosts


def _object(items: tuple[tuple[bytes, int], ...]) -> str:
    counts: dict[bytes, int] = {}
    for name, count in items:
        counts[name] = counts.get(name, 0) + count
    return canonical({name.decode(): count for name, count in counts.items()})


def _list(digests: tuple[bytes, ...]) -> str:
    return canonical(sorted(digest.hex() for digest in digests))


def compare_sums(
    claim: SegmentClaim,
    told: Told | None,
    stored: Iterable[SumRow],
    computed: HostSums | None,
    findings: Findings,
) -> bool:
    """Compare stored sums with the root in the seal, and with those of the records, where there are any.

    Return whether they are the same.
    """

    def find(text: str) -> bool:
        findings.add(Problem.ROLLUP_WRONG, text, claim.uuid)
        return False

    seal = None if told is None else told.seal
    tree, same = CompactRange(), True
    try:
        with uncollected():
            rows = iter(()) if computed is None or seal is None else computed.rows()
            leaves = []
            for row in stored:
                leaves.append(row_leaf(row))
                same = same and (computed is None or row == next(rows, None))
            same = same and next(rows, None) is None
    except (ValueError, TypeError, AttributeError) as error:
        return find(f"its sums by host are not what a writer writes: {error}")
    tree.extend(leaves)
    if seal is None:
        if tree.size:
            return find("it has sums by host, and no seal with their root")
    elif (tree.size, tree.root().hex()) != (seal.rollup_size, seal.rollup_root):
        return find("its sums by host do not give the root in its seal")
    elif not same:
        return find("its sums by host are not those of its records")
    return True
