"""Which records a command is about: period, host, run, agent, verdict, reason, stage."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import ColumnElement, or_

from blocklists.errors import UsageError
from blocklists.host import canonical_host
from crawler.decisionlog import schema
from policies.vocabulary import Reason, Stage

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from crawler.decisionlog.reader import LogReader
    from crawler.decisionlog.stored import StoredRecord

VERDICTS: Final = ("fetch", "skip", "defer", "keep", "received", "failed", "note")
DECISIONS: Final = (Stage.REQUEST, Stage.OUTCOME, Stage.RESPONSE)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What to select; an empty field selects everything. Times are UTC in microseconds, `until` excluded.

    `hosts` are canonical and stand for their subdomains too.
    """

    since: int | None = None
    until: int | None = None
    hosts: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = DECISIONS

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the selection as conditions on the tables, runs and stages excepted."""
        record, context = schema.record.c, schema.context.c
        conditions: list[ColumnElement[bool]] = []
        if self.since is not None:
            conditions.append(record.ts_us >= self.since)
        if self.until is not None:
            conditions.append(record.ts_us < self.until)
        if self.hosts:
            conditions.append(
                or_(
                    record.host.in_(self.hosts),
                    *(record.host.endswith(f".{host}", autoescape=True) for host in self.hosts),
                )
            )
        for column, values in (
            (context.agent, self.agents),
            (record.verdict, self.verdicts),
            (record.reason, self.reasons),
        ):
            if values:
                conditions.append(column.in_(values))
        return conditions

    def require_runs(self, reader: LogReader) -> None:
        """Raise UsageError for a run that the log does not have."""
        known = [run.run for run in reader.runs()]
        for run in self.runs:
            if run not in known:
                raise UsageError(f"the log {reader.path} has no run {run!r}; {_hint(run, known, 'runs')}")

    def records(self, reader: LogReader) -> Iterator[StoredRecord]:
        """Yield the selected records in order of segment and index. Raises UsageError for an unknown run."""
        self.require_runs(reader)
        for info in reader.segments():
            if not self.runs or info.run in self.runs:
                yield from reader.records(segment=info.segment, stages=self.stages, where=self.conditions())


def parse_time(text: str, *, end: bool) -> int:
    """Return a date or an RFC 3339 time as UTC microseconds; without an offset it is UTC.

    A date means its first moment, and as an end the first moment after it. Raises UsageError.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no date or time: write 2026-11-21 or 2026-11-21T09:30:00Z") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if end and len(text) == len("2026-11-21"):
        moment += timedelta(days=1)
    return (moment - _EPOCH) // _MICROSECOND


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Declare the options of a selection."""
    group = parser.add_argument_group("which decisions (an option may be given more than once)")
    group.add_argument("--from", dest="since", metavar="TIME", help="from this date or RFC 3339 time on, UTC")
    group.add_argument(
        "--to", dest="until", metavar="TIME", help="up to this date (included) or time (excluded)"
    )
    group.add_argument("--host", action="append", default=[], help="this host and its subdomains")
    group.add_argument("--run", action="append", default=[], help="this run")
    group.add_argument("--agent", action="append", default=[], metavar="TOKEN", help="this agent")
    group.add_argument("--verdict", action="append", default=[], help=", ".join(VERDICTS))
    group.add_argument("--reason", action="append", default=[], help="a reason code, such as robots_disallow")
    group.add_argument("--stage", action="append", default=[], help="request, outcome or response")
    group.add_argument(
        "--run-records", action="store_true", help="the records about the runs themselves, too"
    )


def selection_of(arguments: argparse.Namespace) -> Selection:
    """Return what the options select. Raises UsageError for a value that nothing can match."""
    _known(arguments.verdict, VERDICTS, "verdict")
    _known(arguments.reason, [reason.value for reason in Reason], "reason")
    _known(arguments.stage, [stage.value for stage in Stage], "stage")
    hosts = []
    for host in arguments.host:
        canonical = canonical_host(host)
        if canonical is None:
            raise UsageError(f"{host!r} is no host: write a name such as example.org")
        hosts.append(canonical)
    stages = tuple(Stage(name) for name in arguments.stage) or DECISIONS
    if arguments.run_records and Stage.RUN not in stages:
        stages = (Stage.RUN, *stages)
    return Selection(
        since=parse_time(arguments.since, end=False) if arguments.since else None,
        until=parse_time(arguments.until, end=True) if arguments.until else None,
        hosts=tuple(hosts),
        runs=tuple(arguments.run),
        agents=tuple(arguments.agent),
        verdicts=tuple(arguments.verdict),
        reasons=tuple(arguments.reason),
        stages=stages,
    )


def _hint(value: str, known: Iterable[str], what: str) -> str:
    names = list(known)
    close = difflib.get_close_matches(value, names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"its newest {what}: {', '.join(names[-5:])}" if names else f"it has no {what}"


def _known(values: Iterable[str], known: Iterable[str], what: str) -> None:
    names = list(known)
    for value in values:
        if value not in names:
            close = difflib.get_close_matches(value, names, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names)}"
            raise UsageError(f"there is no {what} {value!r}; {hint}")
