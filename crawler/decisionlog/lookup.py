"""Answers what a log holds of a host, its subdomains, or one URL: when, under which policy, and why.

The sums by host (`rollup`) name the segments, so that the size of the log does not matter; the index
`posting` names the records in them, and is checked against the sums whenever it is used. A segment that is
not sealed has neither: its records are read. A segment that was pruned still has its sums, and the answer
says when it was pruned and by which rule, never that there was no crawl.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import func, or_, select

from blocklists.errors import UsageError
from blocklists.host import canonical_host
from crawler.decisionlog import schema
from crawler.decisionlog.errors import IntegrityError
from crawler.decisionlog.registry import Pruned, PruneIntended, SegmentAdopted, SegmentSealed, decode
from crawler.decisionlog.rollup import HostSum, host_key, host_of, parsed_sum, sums, unpack_places

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from crawler.decisionlog.reader import LogReader
    from crawler.decisionlog.registry import Leaf
    from crawler.decisionlog.stored import StoredRecord

_ENDS: Final = (SegmentSealed.KIND, PruneIntended.KIND, Pruned.KIND)
_PLACES: Final = 500  # records read at a time, by their places


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is looked for: a canonical host with its subdomains, and one URL of it or None."""

    host: str
    url: str | None

    @property
    def keys(self) -> tuple[str, str]:
        """The first key of the range, and the first behind it (`/` follows `.`)."""
        first = host_key(self.host)
        return first, first[:-1] + "/"

    def covers(self, key: str) -> bool:
        """Whether a host key is in the range."""
        first, behind = self.keys
        return first <= key < behind


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """When the records of a segment were removed (UTC in microseconds), and by which rule."""

    ts_us: int
    rule: str
    done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAnswer:
    """What one segment holds of one host. `state`: sealed, recovered, open or pruned."""

    host: str
    number: int
    segment: str
    run: str
    agent: str
    state: str
    found: HostSum
    pruning: Pruning | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """All that a log holds of a target. `records` are those of the URL, empty when none was asked for.

    `unopened` counts records of the host whose URL was erased: one of them may be of the URL.
    """

    target: Target
    hosts: tuple[HostAnswer, ...]
    records: tuple[StoredRecord, ...]
    unopened: int
    segments: int


def parse_target(text: str) -> Target:
    """Return what a host, a domain or a URL asks for. Raises UsageError."""
    url = None
    host = text
    if "://" in text:
        try:
            parts = urlsplit(text)
            host, url = parts.hostname or "", text
        except ValueError as error:
            raise UsageError(f"{text!r} is no URL: {error}") from error
    canonical = canonical_host(host)
    if canonical is None:
        raise UsageError(f"{text!r} names no host: write example.org, or a URL with its scheme")
    return Target(host=canonical, url=url)


def lookup(reader: LogReader, target: Target) -> Answer:
    """Return what the log holds of the target. Raises LogError; IntegrityError when index and sums differ."""
    found = [*_from_sums(reader, target), *_from_unsummed(reader, target)]
    segments = _segments(reader, {number for number, _ in found})
    answers: list[HostAnswer] = []
    for number, host_sum in found:
        segment = segments.get(number)
        if segment is None:
            raise IntegrityError(f"{reader.path}: sums of a segment that is gone; run `sekisho log verify`")
        answers.append(
            HostAnswer(
                host=host_of(host_sum.host_key),
                number=number,
                segment=segment.uuid,
                run=segment.run,
                agent=segment.agent,
                state=segment.state,
                found=host_sum,
                pruning=segment.pruning,
            )
        )
    answers.sort(key=lambda one: (one.found.first_us, one.host))
    records, unopened = _records(reader, target, answers)
    size = reader.rows(select(func.count()).select_from(schema.segment))[0][0]
    return Answer(target=target, hosts=tuple(answers), records=records, unopened=unopened, segments=size)


@dataclass(slots=True, kw_only=True)
class _Segment:
    uuid: str
    run: str
    agent: str
    state: str
    pruning: Pruning | None = None


def _segments(reader: LogReader, numbers: Collection[int]) -> dict[int, _Segment]:
    """Return what segments are called, and how they ended."""
    column, registry = schema.segment.c, schema.registry.c
    found: dict[int, _Segment] = {}
    wanted = sorted(numbers)
    for start in range(0, len(wanted), _PLACES):
        part = wanted[start : start + _PLACES]
        for row in reader.rows(select(schema.segment).where(column.id.in_(part))):
            state = "open" if row.sealed_us is None else "sealed"
            found[row.id] = _Segment(uuid=row.uuid, run=row.run_id, agent=row.agent, state=state)
        if reader.format == schema.FORMAT_1:
            continue
        for row in reader.rows(
            select(registry.segment_id, registry.body)
            .where(registry.segment_id.in_(part), registry.kind.in_(_ENDS))
            .order_by(registry.idx)
        ):
            if row.segment_id in found:
                _end(found[row.segment_id], decode(row.body))
    return found


def _end(segment: _Segment, leaf: Leaf) -> None:
    """Take in a leaf about the end of a segment."""
    match leaf.event:
        case SegmentSealed(how=how):
            segment.state = how
        case PruneIntended(rule=rule):
            segment.pruning = Pruning(ts_us=leaf.ts_us, rule=rule, done=False)
        case Pruned() if segment.pruning is not None:
            segment.pruning = Pruning(ts_us=leaf.ts_us, rule=segment.pruning.rule, done=True)
            segment.state = "pruned"
        case _:
            pass


def _from_sums(reader: LogReader, target: Target) -> Iterator[tuple[int, HostSum]]:
    if reader.format == schema.FORMAT_1:
        return
    first, behind = target.keys
    column = schema.rollup.c
    for row in reader.rows(select(schema.rollup).where(column.host_key >= first, column.host_key < behind)):
        try:
            yield row.segment_id, parsed_sum(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
        except (ValueError, TypeError, AttributeError) as error:
            raise IntegrityError(
                f"{reader.path}: the sums of {row.host_key} were changed: {error}; run `sekisho log verify`"
            ) from error


def _from_unsummed(reader: LogReader, target: Target) -> Iterator[tuple[int, HostSum]]:
    """Yield what segments that have no sums hold: open ones, and those from before there were sums."""
    column, registry, record = schema.segment.c, schema.registry.c, schema.record.c
    if reader.format == schema.FORMAT_1:
        unsummed = [row.id for row in reader.rows(select(column.id))]
    else:
        adopted = select(registry.segment_id).where(registry.kind == SegmentAdopted.KIND)
        rows = reader.rows(select(column.id).where(or_(column.sealed_us.is_(None), column.id.in_(adopted))))
        unsummed = [row.id for row in rows]
    names = or_(record.host == target.host, record.host.endswith(f".{target.host}", autoescape=True))
    for number in unsummed:
        for found in sums(reader.groups(number, names)):
            yield number, found


def _records(
    reader: LogReader, target: Target, answers: list[HostAnswer]
) -> tuple[tuple[StoredRecord, ...], int]:
    """Return the records of the URL in the order of their times, and how many URLs of its host are erased."""
    if target.url is None:
        return (), 0
    found: list[StoredRecord] = []
    unopened = 0
    places = _places(reader, target.host)
    for answer in answers:
        if answer.host != target.host or answer.state == "pruned":
            continue
        for record in _of_host(reader, answer, places.get(answer.number)):
            unopened += not record.opened
            if record.url == target.url:
                found.append(record)
    found.sort(key=lambda record: (record.ts_us, record.idx))
    return tuple(found), unopened


def _places(reader: LogReader, host: str) -> dict[int, bytes]:
    """Return the index of a host by segment, in one question: there may be many segments."""
    if reader.format == schema.FORMAT_1:
        return {}
    column = schema.posting.c
    statement = select(column.segment_id, column.places).where(column.host_key == host_key(host))
    return {row.segment_id: row.places for row in reader.rows(statement)}


def _of_host(reader: LogReader, answer: HostAnswer, packed: bytes | None) -> Iterator[StoredRecord]:
    """Yield the records of a host in a segment, by the index where there is one, checked against the sums."""
    host, found, segment = answer.host, answer.found, UUID(answer.segment)
    if packed is None:
        yield from reader.records(segment=segment, where=(schema.record.c.host == host,))
        return
    try:
        places = list(unpack_places(packed))
    except ValueError as error:
        raise _differs(reader, host, str(error)) from error
    counts = {"fetch": 0, "skip": 0, "defer": 0}
    for start in range(0, len(places), _PLACES):
        part = places[start : start + _PLACES]
        for stored in reader.at(answer.number, segment, answer.run, part):
            if stored.host != host:
                raise _differs(reader, host, f"record {stored.idx} is of {stored.host}")
            if stored.stage == "request" and stored.verdict in counts:
                counts[stored.verdict] += 1
            yield stored
    if tuple(counts.values()) != (found.n_fetch, found.n_skip, found.n_defer):
        raise _differs(reader, host, "it leaves records out")


def _differs(reader: LogReader, host: str, why: str) -> IntegrityError:
    return IntegrityError(
        f"{reader.path}: the index of {host} does not fit its sums: {why}; run `sekisho log verify`"
    )
