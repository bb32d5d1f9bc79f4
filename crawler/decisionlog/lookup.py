"""Answers what a log holds of a host, its subdomains, or one URL: when, under which policy, and why.

The sums by host (`rollup`) name the segments, so that the size of the log does not matter; which records in
them are of a URL, `lookup_url` says. A segment that is not sealed has no sums: its records are read. One that
was pruned still has them, and the answer says when it was pruned and by which rule, never that there was no
crawl.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from sqlalchemy import BindParameter, bindparam, func, or_, select

from blocklists.errors import UsageError
from blocklists.host import canonical_host
from crawler.decisionlog import schema
from crawler.decisionlog.errors import IntegrityError
from crawler.decisionlog.lookup_url import UrlQuestion
from crawler.decisionlog.registry import Pruned, PruneIntended, SegmentAdopted, SegmentSealed, decode
from crawler.decisionlog.rollup import HostSum, host_key, host_of, parsed_sum, sums

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from crawler.decisionlog.reader import LogReader
    from crawler.decisionlog.registry import Leaf
    from crawler.decisionlog.stored import StoredRecord

_SEGMENTS: Final = 10_000  # segments asked for at a time

_SUM, _SEGMENT, _LEAF = schema.rollup.c, schema.segment.c, schema.registry.c
_COUNT: Final = select(func.count()).select_from(schema.segment)
_ALL: Final = select(_SEGMENT.id, _SEGMENT.sealed_us).order_by(_SEGMENT.id)
_UNSUMMED: Final = _ALL.where(
    or_(
        _SEGMENT.sealed_us.is_(None),
        _SEGMENT.id.in_(select(_LEAF.segment_id).where(_LEAF.kind == SegmentAdopted.KIND)),
    )
)
_SUMS: Final = select(schema.rollup).where(
    _SUM.host_key >= bindparam("first"), _SUM.host_key < bindparam("behind")
)
_NUMBERS: Final[BindParameter[Any]] = bindparam("numbers", expanding=True)
_SEGMENTS_NAMED: Final = select(
    _SEGMENT.id, _SEGMENT.uuid, _SEGMENT.run_id, _SEGMENT.agent, _SEGMENT.sealed_us, _SEGMENT.size
).where(_SEGMENT.id.in_(_NUMBERS))
_SEGMENTS_ENDED: Final = (
    select(_LEAF.segment_id, _LEAF.body)
    .where(
        _LEAF.segment_id.in_(_NUMBERS),
        _LEAF.kind.in_((SegmentSealed.KIND, PruneIntended.KIND, Pruned.KIND)),
    )
    .order_by(_LEAF.idx)
)


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

    `unopened` counts records of the host whose URL was erased: one of them may be of the URL. In so many
    segments as `by_url_index` says, the URL was looked for in a signed index of URLs.
    """

    target: Target
    hosts: tuple[HostAnswer, ...]
    records: tuple[StoredRecord, ...]
    unopened: int
    segments: int
    by_url_index: int


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


def lookup(reader: LogReader, target: Target, *, exhaustive: bool = False) -> Answer:
    """Return what the log holds of the target. Raises LogError; IntegrityError when index and sums differ.

    Asks as often for a thousand sealed segments as for one; those without an index are read one by one, and
    all are if the question is `exhaustive`, which for a URL trusts no index.
    """
    found = _Found(reader, target, with_sums=reader.format != schema.FORMAT_1)
    try:
        return found.answer(exhaustive=exhaustive)
    except IntegrityError:
        # A crawl may have sealed meanwhile what was read as open, or somebody pruned what was read.
        if not found.is_outdated():
            raise
        found = _Found(reader, target, with_sums=found.with_sums)
        return found.answer(exhaustive=exhaustive)


@dataclass(slots=True, kw_only=True)
class Held:
    """A segment that holds what is looked for."""

    uuid: str
    run: str
    agent: str
    state: str
    size: int | None
    pruning: Pruning | None = None


class _Found:
    """What segments hold of a target, by their sums or as counted, and how they stood then."""

    def __init__(self, reader: LogReader, target: Target, *, with_sums: bool) -> None:
        self._reader = reader
        self._target = target
        self.with_sums = with_sums
        unsummed = reader.rows(_UNSUMMED if with_sums else _ALL)
        counted = list(_from_records(reader, target, [row.id for row in unsummed]))
        summed = list(_from_sums(reader, target)) if with_sums else []
        told = {number for number, _ in summed}  # what was sealed in between has sums by now
        self._sums = [*summed, *(each for each in counted if each[0] not in told)]
        self._segments = self._read_segments()
        for number in {row.id for row in unsummed if row.sealed_us is None} - told:
            segment = self._segments.get(number)
            if segment is not None and segment.state != "pruned":
                segment.state = "open"  # as when it was counted, whatever was written and sealed since

    def is_outdated(self) -> bool:
        """Whether a segment was sealed or pruned since. Raises LogError."""
        return self._read_segments() != self._segments

    def answer(self, *, exhaustive: bool) -> Answer:
        """Return the answer. Raises LogError; IntegrityError also when what was found is outdated."""
        answers = sorted(self._answers(), key=lambda one: (one.found.first_us, one.host))
        records: tuple[StoredRecord, ...] = ()
        unopened = by_url_index = 0
        if self._target.url is not None:
            question = UrlQuestion(
                self._reader, self._target.host, self._target.url, answers, self._segments
            )  # fmt: skip
            records = question.run(indexed=self.with_sums and not exhaustive)
            unopened, by_url_index = question.unopened, question.by_url_index
        return Answer(
            target=self._target,
            hosts=tuple(answers),
            records=records,
            unopened=unopened,
            segments=self._reader.rows(_COUNT)[0][0],
            by_url_index=by_url_index,
        )

    def _answers(self) -> Iterator[HostAnswer]:
        for number, host_sum in self._sums:
            segment = self._segments.get(number)
            if segment is None:
                raise IntegrityError(
                    f"{self._reader.path}: sums of a segment that is gone; run `sekisho log verify`"
                )
            yield HostAnswer(
                host=host_of(host_sum.host_key),
                number=number,
                segment=segment.uuid,
                run=segment.run,
                agent=segment.agent,
                state=segment.state,
                found=host_sum,
                pruning=segment.pruning,
            )

    def _read_segments(self) -> dict[int, Held]:
        return _segments(self._reader, {number for number, _ in self._sums}, with_ends=self.with_sums)


def _segments(reader: LogReader, numbers: Collection[int], *, with_ends: bool) -> dict[int, Held]:
    """Return what segments are called, and how they ended."""
    found: dict[int, Held] = {}
    wanted = sorted(numbers)
    for start in range(0, len(wanted), _SEGMENTS):
        part = {"numbers": wanted[start : start + _SEGMENTS]}
        for row in reader.rows(_SEGMENTS_NAMED, part):
            state = "open" if row.sealed_us is None else "sealed"
            found[row.id] = Held(uuid=row.uuid, run=row.run_id, agent=row.agent, state=state, size=row.size)
        for row in reader.rows(_SEGMENTS_ENDED, part) if with_ends else ():
            if row.segment_id in found:
                _end(found[row.segment_id], decode(row.body))
    return found


def _end(segment: Held, leaf: Leaf) -> None:
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
    first, behind = target.keys
    for row in reader.rows(_SUMS, {"first": first, "behind": behind}):
        try:
            yield row.segment_id, parsed_sum(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
        except (ValueError, TypeError, AttributeError) as error:
            raise IntegrityError(
                f"{reader.path}: the sums of {row.host_key} were changed: {error}; run `sekisho log verify`"
            ) from error


def _from_records(reader: LogReader, target: Target, numbers: Sequence[int]) -> Iterator[tuple[int, HostSum]]:
    """Yield what segments that have no sums hold: open ones, and those from before there were sums."""
    record = schema.record.c
    names = or_(record.host == target.host, record.host.endswith(f".{target.host}", autoescape=True))
    for start in range(0, len(numbers), _SEGMENTS):
        by_segment = reader.groups(numbers[start : start + _SEGMENTS], names)
        for number, groups in by_segment.items():
            for found in sums(groups):
                yield number, found
