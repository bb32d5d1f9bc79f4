"""Compares the index of each host's records (`posting`) with the records that a verification has summed.

It is no evidence, and a look-up that uses it sees that each record which it names is the host's. That it
leaves none out is compared here: it names as many, which come to the same under a secret (`HostSums`).
"""

from __future__ import annotations

import re
from itertools import accumulate, islice
from math import prod
from typing import TYPE_CHECKING, Final

from sqlalchemy import select, tuple_

from crawler.decisionlog import schema
from crawler.decisionlog.findings import Findings, Problem
from crawler.decisionlog.verify_sums import PRIME

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from crawler.decisionlog.reader import LogReader
    from crawler.decisionlog.verify_segment import SegmentClaim
    from crawler.decisionlog.verify_sums import HostSums

_P: Final = schema.posting.c
_HOSTS: Final = 500  # asked for at a time
_PAGE: Final = 5000
_NUMBER: Final = re.compile(rb"[\x80-\xff]*[\x00-\x7f]")
_SEVEN: Final = 0x7F
_LONGEST: Final = 5  # octets of a number: 2**35 records are more than a run will ever have
_REMEMBERED: Final = 1 << 16
_PART: Final = 16  # numbers that are multiplied before what they come to is made small again


class PostingCheck:
    """The comparison for one log: `segment` for each that was summed, then `strays`."""

    def __init__(self, reader: LogReader, findings: Findings) -> None:
        self._reader = reader
        self._findings = findings
        self._found: dict[int, tuple[UUID, int]] = {}  # segment and rows, by its number
        self.uncompared: set[int] = set()  # numbers of segments that may have rows nevertheless

    def segment(self, claim: SegmentClaim, sums: HostSums) -> None:
        """Compare the rows of a segment with how many records each host has, and what indices come to."""
        places = sums.places
        keys, found = list(places), 0
        for start in range(0, len(keys), _HOSTS):
            asked = keys[start : start + _HOSTS]
            rows = self._reader.rows(
                select(_P.host_key, _P.places).where(_P.host_key.in_(asked), _P.segment_id == claim.number)
            )
            found += len(rows)
            named = {row.host_key: _come_to(row.places, sums.secret) for row in rows}
            for key in asked:
                if named.get(key) != places[key]:
                    what = "does not name its records" if key in named else "is gone"
                    self._findings.add(
                        Problem.INDEX_WRONG,
                        f"the index of {key} {what}: look up what is asked of it with --exhaustive",
                        claim.uuid,
                    )
        self._found[claim.number] = claim.uuid, found

    def strays(self, sealed_since: Callable[[int], bool]) -> None:
        """Find rows of hosts that a segment does not have, and of segments that have none yet, or any more.

        `sealed_since` says of a segment's number whether it was sealed after the registry was read.
        """
        counts = dict.fromkeys(self._found, 0)
        place = tuple_(_P.host_key, _P.segment_id)
        page = select(_P.host_key, _P.segment_id).order_by(_P.host_key, _P.segment_id).limit(_PAGE)
        rows = self._reader.rows(page)
        while rows:
            for row in rows:
                counts[row.segment_id] = counts.get(row.segment_id, 0) + 1
            rows = self._reader.rows(page.where(place > tuple(rows[-1])))
        for number, (segment, found) in self._found.items():
            if counts.pop(number) != found:
                self._findings.add(
                    Problem.INDEX_WRONG,
                    f"its index of hosts has other rows than the {found} of hosts that it has",
                    segment,
                )
        for number in counts.keys() - self.uncompared:
            if not sealed_since(number):
                self._findings.add(
                    Problem.INDEX_WRONG,
                    f"segment number {number!a} has an index of hosts, and is not sealed, or was pruned",
                )


class _Differences(dict[bytes, int]):
    """How far it is to the next index, by the octets in LEB128: few differ, and to read them costs more.

    Raises ValueError on what no writer writes: more octets than an index needs, or one that says nothing.
    """

    def __missing__(self, octets: bytes) -> int:
        if len(octets) > _LONGEST or (len(octets) > 1 and not octets[-1]):
            raise ValueError("a place is longer than it needs to be")
        value = 1 + sum((octet & _SEVEN) << 7 * at for at, octet in enumerate(octets))
        if len(self) >= _REMEMBERED:
            self.clear()
        self[octets] = value
        return value


_differences: Final = _Differences()


def _come_to(places: object, secret: int) -> tuple[int, int] | None:
    """Return how many indices there are, and what they come to; None for what no writer wrote."""
    if not isinstance(places, bytes) or places[-1:] > b"\x7f":
        return None
    numbers = _NUMBER.findall(places)
    value = 1
    try:
        indices = accumulate(map(_differences.__getitem__, numbers), initial=secret - 1)
        next(indices)
        while part := tuple(islice(indices, _PART)):
            value = value * prod(part) % PRIME
    except ValueError:
        return None
    return len(numbers), value
