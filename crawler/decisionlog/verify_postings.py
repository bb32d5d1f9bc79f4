"""Compares the index of each host's records (`posting`) with the records that a verification has summed.

It is no evidence, and a look-up that uses it sees that each record which it names is the host's. So it leaves
none out if it names as many as there are; and as their indices come to the same, no bit of it was changed.
"""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from sqlalchemy import select, tuple_

from crawler.decisionlog import schema
from crawler.decisionlog.findings import Findings, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from crawler.decisionlog.reader import LogReader
    from crawler.decisionlog.verify_segment import SegmentClaim

_P: Final = schema.posting.c
_HOSTS: Final = 500  # asked for at a time
_PAGE: Final = 5000
_NUMBER: Final = re.compile(rb"[\x80-\xff]*[\x00-\x7f]")
_SEVEN: Final = 0x7F
_REMEMBERED: Final = 1 << 16


class PostingCheck:
    """The comparison for one log: `segment` for each that was summed, then `strays`."""

    def __init__(self, reader: LogReader, findings: Findings) -> None:
        self._reader = reader
        self._findings = findings
        self._found: dict[int, tuple[UUID, int]] = {}  # segment and rows, by its number

    def segment(self, claim: SegmentClaim, places: Mapping[str, tuple[int, int]]) -> None:
        """Compare the rows of a segment with how many records each host has, and what indices come to."""
        keys, found = list(places), 0
        for start in range(0, len(keys), _HOSTS):
            asked = keys[start : start + _HOSTS]
            rows = self._reader.rows(
                select(_P.host_key, _P.places).where(_P.host_key.in_(asked), _P.segment_id == claim.number)
            )
            found += len(rows)
            named = {row.host_key: _come_to(row.places) for row in rows}
            for key in asked:
                if named.get(key) != places[key]:
                    what = "does not name its records" if key in named else "is gone"
                    self._findings.add(
                        Problem.INDEX_WRONG,
                        f"the index of {key} {what}: look up what is asked of it with --exhaustive",
                        claim.uuid,
                    )
        self._found[claim.number] = claim.uuid, found

    def strays(self) -> None:
        """Find rows of hosts that a segment does not have."""
        if not self._found:
            return  # an old log, which has no such index
        counts = dict.fromkeys(self._found, 0)
        place, after = tuple_(_P.host_key, _P.segment_id), ("", 0)
        page = select(_P.host_key, _P.segment_id).order_by(_P.host_key, _P.segment_id).limit(_PAGE)
        while rows := self._reader.rows(page.where(place > after)):
            for row in rows:
                if row.segment_id in counts:
                    counts[row.segment_id] += 1
            after = tuple(rows[-1])
        for number, (segment, found) in self._found.items():
            if counts[number] != found:
                self._findings.add(
                    Problem.INDEX_WRONG,
                    f"its index of hosts has {counts[number]} rows; {found} are of hosts that it has",
                    segment,
                )


class _Differences(dict[bytes, int]):
    """Numbers by their octets in LEB128: few differ, and to look one up costs less than to read it."""

    def __missing__(self, octets: bytes) -> int:
        value = sum((octet & _SEVEN) << 7 * at for at, octet in enumerate(octets))
        if len(self) >= _REMEMBERED:
            self.clear()
        self[octets] = value
        return value


_differences: Final = _Differences()


def _come_to(places: object) -> tuple[int, int] | None:
    """Return how many indices there are and their sum; None for what no writer wrote."""
    if not isinstance(places, bytes) or places[-1:] > b"\x7f":
        return None
    numbers = _NUMBER.findall(places)
    count = len(numbers)
    return count, sum(accumulate(map(_differences.__getitem__, numbers))) + count * (count - 1) // 2
