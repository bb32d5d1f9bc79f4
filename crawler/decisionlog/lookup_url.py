"""Finds the records of one URL in the segments that hold its host.

In a sealed segment where the host has many records, the signed index of URLs (`url_index`) names those that
may be of the URL, however many there are; each of them must be what the index says. Where it has few, and
where that index went because a URL of the host was erased, the index `posting` names all records of the host,
and must fit the sums. Where there is no index at all, and whenever none is to be trusted, the records are
read, and must fit the sums too.
"""

from __future__ import annotations

from collections import Counter
from operator import eq, ge
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import BindParameter, bindparam, select

from crawler.decisionlog import encoding, schema
from crawler.decisionlog.errors import IntegrityError
from crawler.decisionlog.log_keys import LogKeys, opened_and_sealed
from crawler.decisionlog.record_query import url_text
from crawler.decisionlog.rollup import COUNTED, host_key, unpack_places
from crawler.decisionlog.url_index import FEWEST, UrlKey, places_of, signed_payload

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from sqlalchemy.engine import Row

    from crawler.decisionlog.lookup import Held, HostAnswer
    from crawler.decisionlog.reader import LogReader, Params
    from crawler.decisionlog.stored import StoredRecord

    Places = Sequence[tuple[int, int]]

_PLACES: Final = 500  # records read at a time, by their places
_SEGMENTS: Final = 10_000  # segments asked for at a time
_RECORDS_EACH: Final = 8  # of a decision, with its outcomes: where there are more, all records are read

_NUMBERS: Final[BindParameter[Any]] = bindparam("numbers", expanding=True)
_POSTING, _KEY = schema.posting.c, schema.url_key.c
_POSTINGS: Final = select(_POSTING.segment_id, _POSTING.places).where(
    _POSTING.host_key == bindparam("host_key"), _POSTING.segment_id.in_(_NUMBERS)
)
_KEYS: Final = select(schema.url_key).where(_KEY.host == bindparam("host"), _KEY.segment_id.in_(_NUMBERS))


class UrlQuestion:
    """The records of one URL, among those of its host; `run` once.

    Then `unopened` is the number of URLs of the host that are erased where all its records were looked at,
    and `by_url_index` the number of segments where they needed not be.
    """

    def __init__(
        self,
        reader: LogReader,
        host: str,
        url: str,
        answers: Sequence[HostAnswer],
        segments: Mapping[int, Held],
    ) -> None:
        self._reader = reader
        self._host = host
        self._url = url
        self._answers = {
            one.number: one for one in answers if one.host == host and one.state != "pruned"
        }  # fmt: skip
        self._segments = segments
        self._named = {number: (UUID(one.segment), one.run) for number, one in self._answers.items()}
        self._places: list[tuple[int, int]] = []  # of the URL
        self.unopened = 0
        self.by_url_index = 0

    def run(self, *, indexed: bool) -> tuple[StoredRecord, ...]:
        """Return the records in the order of their times. Raises IntegrityError."""
        rest = dict.fromkeys(self._answers)
        if indexed and rest:
            for number in self._read_named():
                del rest[number]
            for number in self._read_posted([number for number in rest if not self._may_change(number)]):
                del rest[number]
        for number in rest:
            self._read_segment(number)
        found = [
            record for part in _parts(self._places) for record in self._reader.at(part, self._named)
        ]  # fmt: skip
        staying = {number for number in self._answers if self._segments[number].pruning is None}
        named = {self._named[number][0] for number in staying}
        if sum(record.segment in named for record in found) != sum(
            number in staying for number, _ in self._places
        ):
            raise IntegrityError(
                f"{self._reader.path}: a record of {self._host} is gone since it was found;"
                " run `sekisho log verify`"
            )
        found.sort(key=lambda record: (record.ts_us, record.idx))
        return tuple(found)

    def _may_change(self, number: int) -> bool:
        """Whether records are appended to a segment or removed from it: then no index is asked for."""
        segment = self._segments[number]
        return segment.state == "open" or segment.pruning is not None

    def _look(self, number: int, row: Row[Any]) -> None:
        if row.salt is None:
            self.unopened += row.committed
        elif url_text(row.url) == self._url:
            self._places.append((number, row.idx))

    # by the index of URLs

    def _read_named(self) -> Collection[int]:
        """Look at the records that indexes of URLs name; return the segments where that was enough."""
        octets = encoding.url_octets(self._url)
        asked = {}
        for number, key in self._url_keys().items():
            try:
                digest = key.digest(octets)
            except ValueError as error:
                raise self._changed(number, str(error)) from error
            asked[number, key.bucket(digest)] = (key, digest)
        done: dict[int, tuple[UrlKey, int]] = {}
        places: list[tuple[int, int]] = []
        log_keys = LogKeys.of(self._reader) if asked else LogKeys(())
        leaves = opened_and_sealed(self._reader.rows, [number for number, _ in asked])
        for part in _parts(list(asked)):
            for row in self._reader.buckets_at(part, self._host):
                key, digest = asked[row.segment_id, row.bucket]
                payload = signed_payload(key, row.bucket, row.body, log_keys, leaves.get(row.segment_id))
                if payload is None:
                    raise self._changed(row.segment_id, "its signature is not that of the log")
                try:
                    places += ((row.segment_id, idx) for idx in sorted(set(places_of(payload, digest))))
                except ValueError as error:
                    raise self._changed(row.segment_id, str(error)) from error
                done[row.segment_id] = key, digest
        self._read_places(places, done)
        self.by_url_index = len(done)
        return done

    def _url_keys(self) -> dict[int, UrlKey]:
        """Return the keys of the host's indexes of URLs by segment."""
        wanted = [number for number in self._answers if self._may_have_keys(number)]
        keys: dict[int, UrlKey] = {}
        if not wanted or not self._reader.has_url_index():
            return keys
        for start in range(0, len(wanted), _SEGMENTS):
            part: Params = {"host": self._host, "numbers": wanted[start : start + _SEGMENTS]}
            for row in self._reader.rows(_KEYS, part):
                segment = self._segments[row.segment_id]
                try:
                    keys[row.segment_id] = UrlKey(
                        segment=UUID(segment.uuid),
                        size=segment.size or 0,
                        host=self._host,
                        key=row.key,
                        buckets=row.buckets,
                    )
                except ValueError as error:
                    raise self._changed(row.segment_id, str(error)) from error
        return keys

    def _may_have_keys(self, number: int) -> bool:
        """Whether to ask for an index of URLs: hosts with few decisions are not asked for in vain."""
        found = self._answers[number].found
        return (
            not self._may_change(number)
            and found.last_idx - found.first_idx + 1 >= FEWEST
            and sum(getattr(found, name) for name in COUNTED.values()) >= FEWEST // _RECORDS_EACH
        )

    def _read_places(self, places: list[tuple[int, int]], about: Mapping[int, tuple[UrlKey, int]]) -> None:
        """Look at records that the index names, and see that each is what the index says."""
        for part in _parts(places):
            rows = self._reader.urls_at(part)
            if len(rows) != len(part):
                there = {(row.segment_id, row.idx) for row in rows}
                number, idx = next(place for place in part if place not in there)
                raise self._changed(number, f"it names record {idx}, which is not there")
            for row in rows:
                key, digest = about[row.segment_id]
                if row.host != self._host:
                    raise self._changed(row.segment_id, f"record {row.idx} is of {row.host}")
                url = url_text(row.url)
                if url is not None and not key.same(key.digest(encoding.url_octets(url)), digest):
                    raise self._changed(row.segment_id, f"record {row.idx} is of another URL")
                self._look(row.segment_id, row)

    # by the index of the host

    def _read_posted(self, numbers: Collection[int]) -> Collection[int]:
        """Look at the host's records in those of the segments that have an index of them."""
        postings, wanted = {}, list(numbers)
        for start in range(0, len(wanted), _SEGMENTS):
            part: Params = {"host_key": host_key(self._host), "numbers": wanted[start : start + _SEGMENTS]}
            for row in self._reader.rows(_POSTINGS, part):
                try:
                    postings[row.segment_id] = list(unpack_places(row.places))
                except ValueError as error:
                    raise self._differs(str(error)) from error
        self._read_indexed(postings)
        return postings

    def _read_indexed(self, postings: Mapping[int, list[int]]) -> None:
        """Look at the host's records in the segments that have an index, and see that it leaves none out."""
        counts: Counter[tuple[int, str]] = Counter()
        places = [(number, idx) for number, indices in sorted(postings.items()) for idx in indices]
        for part in _parts(places):
            for row in self._reader.urls_at(part):
                if row.host != self._host:
                    raise self._differs(f"record {row.idx} is of {row.host}")
                _count(counts, row)
                self._look(row.segment_id, row)
        for number, indices in postings.items():
            ends = (indices[0], indices[-1]) if indices else None
            if not self._fits(number, ends, counts):
                raise self._differs("it leaves records out")

    # by reading

    def _read_segment(self, number: int) -> None:
        """Look at the host's records in a segment without any index."""
        counts: Counter[tuple[int, str]] = Counter()
        ends = None
        for row in self._reader.urls_of(number, self._host):
            ends = (row.idx if ends is None else ends[0], row.idx)
            _count(counts, row)
            self._look(number, row)
        segment = self._segments[number]
        if segment.pruning is None and not self._fits(number, ends, counts):
            raise IntegrityError(
                f"{self._reader.path}: the records of {self._host} in segment {segment.uuid} do not fit its"
                " sums; run `sekisho log verify`"
            )

    def _fits(self, number: int, ends: tuple[int, int] | None, counts: Counter[tuple[int, str]]) -> bool:
        """Whether what was looked at is all that the sums of the host count, or no less where it grows."""
        if ends is None:
            return False
        found = self._answers[number].found
        same = ge if self._segments[number].state == "open" else eq
        return (
            ends[0] == found.first_idx
            and same(ends[1], found.last_idx)
            and all(same(counts[number, name], getattr(found, name)) for name in COUNTED.values())
        )

    def _differs(self, why: str) -> IntegrityError:
        return IntegrityError(
            f"{self._reader.path}: the index of {self._host} does not fit its sums: {why};"
            " run `sekisho log verify`, and look up with --exhaustive, which needs no index"
        )

    def _changed(self, number: int, why: str) -> IntegrityError:
        return IntegrityError(
            f"{self._reader.path}: the index of URLs of {self._host} in segment {self._segments[number].uuid}"
            f" was changed: {why}; run `sekisho log verify`, and look up with --exhaustive, which needs none"
        )


def _parts(places: Places) -> Iterator[Places]:
    for start in range(0, len(places), _PLACES):
        yield places[start : start + _PLACES]


def _count(counts: Counter[tuple[int, str]], row: Row[Any]) -> None:
    """Count a record as the sums by host do."""
    name = COUNTED.get((row.stage, row.verdict))
    if name is not None:
        counts[row.segment_id, name] += 1
