"""`sekisho log export`: decisions as lines for people, or whole segments as a package for outsiders.

Lines go to standard output. A package is a new folder, read again after it was written, and put on the record
of the log, unless `--no-record` says that the log is only a copy.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blocklists.errors import ExitCode, UsageError
from crawler.decisionlog.clock import SystemClock
from crawler.decisionlog.errors import IntegrityError
from crawler.decisionlog.export import Exporter
from crawler.decisionlog.location import log_url
from crawler.decisionlog.package.layout import Encoding
from crawler.decisionlog.package.plan import PackagePlan
from crawler.decisionlog.package.readers import MOST, readers_here
from crawler.decisionlog.package.record import record_export
from crawler.decisionlog.package.verify import verify_package
from crawler.decisionlog.package.write import write_package
from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.selection import add_selection, selection_of
from policies.console import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from crawler.decisionlog.package.layout import Manifest

_LINES: Final = ("jsonl", "csv")
_NARROWING: Final = ("since", "until", "host", "agent", "verdict", "reason", "stage", "run_records")
_EVERY: Final = 20_000  # records between two lines of progress


def add_export(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `sekisho log export`."""
    parser.add_argument(
        "--format", choices=(*_LINES, "parquet"), help="default: jsonl; of a package: parquet, or jsonl"
    )
    add_selection(parser)
    package = parser.add_argument_group(
        "a package: whole segments, with all that an outsider needs to verify them"
    )
    package.add_argument("--package", metavar="DIR", help="write a package into this new folder")
    package.add_argument(
        "--segment",
        action="append",
        default=[],
        metavar="SEGMENT",
        help="this segment only, or its beginning",
    )
    urls = package.add_mutually_exclusive_group()
    urls.add_argument("--with-urls", dest="urls", action="store_true", default=True, help="the default")
    urls.add_argument("--without-urls", dest="urls", action="store_false", help="leave the URLs out")
    package.add_argument(
        "--with-commitments",
        action="store_true",
        help="let records verify without the URL files beside them (64 octets a record more)",
    )
    package.add_argument(
        "--readers",
        type=_count,
        metavar="N",
        help=(
            "read a large log in so many processes at once, each of some 200 MB, for Parquet"
            f" (default: as many as there are processors, {MOST} at most)"
        ),
    )
    package.add_argument(
        "--no-record",
        dest="record",
        action="store_false",
        help="do not record the export in the log: when the log is a copy, or cannot be written",
    )
    parser.set_defaults(handler=export)


def export(arguments: argparse.Namespace) -> int:
    """Do what was asked and return the exit code. Raises SekishoError."""
    if arguments.package is not None:
        return _package(arguments)
    for option in ("segment", "with_commitments", "readers"):
        if getattr(arguments, option):
            raise UsageError(f"--{option.replace('_', '-')} is for packages: add --package DIR")
    if not arguments.urls or not arguments.record:
        raise UsageError("--without-urls and --no-record are for packages: add --package DIR")
    if arguments.format == "parquet":
        raise UsageError("Parquet files are written as a package: add --package DIR")
    with LogReader.open(log_url(arguments.log)) as reader:
        return _lines(reader, arguments)


def _lines(reader: LogReader, arguments: argparse.Namespace) -> int:
    exporter = Exporter(reader)
    records = selection_of(arguments).records(reader)
    lines = exporter.csv(records) if arguments.format == "csv" else exporter.jsonl(records)
    out = sys.stdout.buffer
    for line in lines:
        out.write(line.encode("utf-8", "backslashreplace"))
    out.flush()
    if exporter.missing:
        print(
            f"sekisho: {exporter.missing} decisions have lost their evidence; run `sekisho log verify`",
            file=sys.stderr,
        )
        return ExitCode.TAMPERED
    return ExitCode.DONE


def _package(arguments: argparse.Namespace) -> int:
    for option in _NARROWING:
        if getattr(arguments, option):
            name = {"since": "from", "until": "to"}.get(option, option.replace("_", "-"))
            raise UsageError(
                f"a package has whole segments, of which --{name} would take a part: use --run or --segment"
            )
    if arguments.format == "csv":
        raise UsageError("a package is Parquet or JSON lines: use --format parquet or --format jsonl")
    url, target, clock = log_url(arguments.log), Path(arguments.package).absolute(), SystemClock()
    with LogReader.open(url) as reader:
        plan = PackagePlan(
            encoding=Encoding(arguments.format or "parquet"),
            urls=arguments.urls,
            committed=arguments.with_commitments,
            runs=_runs(reader, arguments.run),
            segments=_segments(reader, arguments.segment),
            readers=arguments.readers or readers_here(),
        )
        manifest = write_package(reader, target, plan, now_us=clock.now_us(), progress=_progress("exported"))
    _clear()
    _reread(target)
    if arguments.record:
        try:
            record_export(url, manifest, place=str(target), now_us=clock.now_us())
        except BaseException:
            print(
                f"sekisho: the package {printable(str(target))} is whole, but not on the record of the log:"
                " remove it and export again, or keep it as a copy, as --no-record makes one",
                file=sys.stderr,
            )
            raise
    _say(target, manifest)
    return ExitCode.DONE


def _reread(target: Path) -> None:
    """Verify a package as its receiver would. Raises IntegrityError."""
    report = verify_package(target, _progress("verified"))
    _clear()
    if report.findings_total:
        raise IntegrityError(
            f"the package {target} was written, but does not verify: {report.findings[0].text};"
            " run `sekisho log verify` to see whether the log was changed"
        )


def _count(text: str) -> int:
    """Return how many processes a text asks for."""
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {MOST}")
    return int(text)


def _runs(reader: LogReader, names: list[str]) -> frozenset[str]:
    known = [run.run for run in reader.runs()] if names else []
    for name in names:
        if name not in known:
            raise UsageError(f"the log {reader.path} has no run {name!r}; `sekisho log show` lists them")
    return frozenset(names)


def _segments(reader: LogReader, names: list[str]) -> frozenset[UUID]:
    known = [info.segment for info in reader.segments()] if names else []
    found = set()
    for name in names:
        matching = [segment for segment in known if str(segment).startswith(name.lower())]
        if len(matching) != 1:
            why = "several segments begin with" if matching else "the log has no segment"
            raise UsageError(f"{why} {name!r}; `sekisho log show` lists them")
        found.add(matching[0])
    return frozenset(found)


def _progress(verb: str) -> Callable[[int], None] | None:
    """Return what shows on a terminal how far it has come; None elsewhere."""
    if not sys.stderr.isatty():
        return None
    shown = 0

    def show(records: int) -> None:
        nonlocal shown
        if records < shown or records - shown >= _EVERY:
            shown = records
            print(f"\r{records:,} records {verb}", end="", file=sys.stderr, flush=True)

    return show


def _clear() -> None:
    if sys.stderr.isatty():
        print("\r" + " " * 40 + "\r", end="", file=sys.stderr)


def _say(target: Path, manifest: Manifest) -> None:
    counts = manifest.counts
    octets = sum(part.octets for part in manifest.files)
    print(
        f"{printable(str(target))}: {counts.records:,} records, {counts.segments:,} segments,"
        f" {counts.documents:,} documents, {octets:,} octets without these"
    )
