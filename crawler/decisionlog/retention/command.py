"""How long the log is kept: show the schedule, say what is due, and remove it, under signed entries.

`plan` changes nothing. `apply` previews unless --yes is given, checks holds again inside its transaction, and
goes on where a run of it was interrupted. Exit codes: 0 done; 2 usage; 3 something is due (`plan`);
4 the log was changed; 5 refused, such as by a hold.
"""

from __future__ import annotations

import argparse
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blocklists.errors import ExitCode, UsageError
from crawler.decisionlog import store
from crawler.decisionlog.clock import SystemClock
from crawler.decisionlog.export import rfc3339
from crawler.decisionlog.location import DEFAULT, log_url
from crawler.decisionlog.notes import parse_vkey
from crawler.decisionlog.package.layout import MANIFEST, parse_manifest
from crawler.decisionlog.package.verify import verify_package
from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.registry import KeyAdded
from crawler.decisionlog.retention.acts import Actor
from crawler.decisionlog.retention.plan import Item, State, plan
from crawler.decisionlog.retention.prune import finish, intend
from crawler.decisionlog.retention.schedule import DEFAULT_FILE, Schedule, load_schedule
from policies.console import OutputFormat, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crawler.decisionlog.notes import VerifierKey
    from crawler.decisionlog.package.layout import Manifest

HELP = "how long the log is kept: schedule, what is due, and its removal"
EXAMPLES = (
    "sekisho retention list                                  # the schedule",
    "sekisho retention plan                                  # what is due today; exit 3 if anything is",
    "sekisho retention apply --actor compliance               # preview",
    "sekisho retention apply --actor compliance --export /archive/2026 --yes",
)
LIST: Final = "sekisho.retention-list/1"
PLAN: Final = "sekisho.retention-plan/1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `list`, `plan` and `apply`."""
    commands = parser.add_subparsers(dest="action", metavar="list|plan|apply", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--schedule", metavar="FILE", default=DEFAULT_FILE, help=f"the schedule; default {DEFAULT_FILE}"
    )
    formats = [value.value for value in OutputFormat]
    shared.add_argument("--format", choices=formats, default="table", help="default: table")
    commands.add_parser("list", parents=[shared], help="the schedule", allow_abbrev=False)
    log = argparse.ArgumentParser(add_help=False)
    log.add_argument(
        "--log", metavar="URL", help=f"the log; else SEKISHO_LOG, the Scrapy project's setting, {DEFAULT}"
    )
    commands.add_parser("plan", parents=[shared, log], help="what is due today", allow_abbrev=False)
    apply = commands.add_parser("apply", parents=[shared, log], help="remove what is due", allow_abbrev=False)
    apply.add_argument("--actor", required=True, help="who does it, for the record")
    apply.add_argument(
        "--export",
        action="append",
        default=[],
        metavar="DIR",
        help="an export package with the segments that are due; verified before anything is removed",
    )
    apply.add_argument("--yes", action="store_true", help="remove; without it only say what would be")


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked and return the exit code. Raises SekishoError."""
    schedule = load_schedule(Path(arguments.schedule))
    output = OutputFormat(arguments.format)
    if arguments.action == "list":
        print(_listed(schedule, output))
        return ExitCode.DONE
    now_us = SystemClock().now_us()
    if arguments.action == "plan":
        items = _items(log_url(arguments.log), schedule, now_us)
        print(_planned(items, output))
        return ExitCode.FINDINGS if any(item.state in _TO_DO for item in items) else ExitCode.DONE
    return _apply(arguments, schedule, output, now_us)


_TO_DO: Final = (State.DUE, State.UNDER_WAY)


def _items(url: str, schedule: Schedule, now_us: int) -> list[Item]:
    place = store.log_place(url)
    connection = store.open_for_reading(place)
    try:
        with store.explained(place, "read"):
            return plan(connection, schedule, now_us=now_us)
    finally:
        connection.close()


def _listed(schedule: Schedule, output: OutputFormat) -> str:
    rows = [
        {
            "series": one.name,
            "records": one.records,
            "place": one.place.value,
            "period": one.period or "for ever",
            "trigger": one.trigger,
            "reason": one.reason,
            "authority": one.authority,
            "disposal": one.disposal,
            "export_first": one.export_first,
        }
        for one in schedule.series
    ]
    columns = ("series", "records", "place", "period", "trigger", "reason", "authority")
    return render(output, LIST, "series", columns, rows)


def _planned(items: Sequence[Item], output: OutputFormat) -> str:
    rows = [
        {
            "segment": item.segment,
            "run": item.run,
            "series": item.retention,
            "records": item.size,
            "ended": None if item.ended_us is None else rfc3339(item.ended_us),
            "due": None if item.due_us is None else rfc3339(item.due_us),
            "state": item.state.value,
            "hold": item.hold,
            "exports": len(item.exports),
        }
        for item in items
    ]
    columns = ("segment", "run", "series", "records", "ended", "due", "state", "hold", "exports")
    return render(output, PLAN, "segments", columns, rows)


def _apply(arguments: argparse.Namespace, schedule: Schedule, output: OutputFormat, now_us: int) -> int:
    url = log_url(arguments.log)
    todo = [item for item in _items(url, schedule, now_us) if item.state in _TO_DO]
    print(_planned(todo, output))
    if not todo:
        print("sekisho: nothing is due", file=sys.stderr)
        return ExitCode.DONE
    exported = _exported(url, arguments.export, todo)
    if not arguments.yes:
        print("sekisho: nothing was removed; add --yes to remove what is listed", file=sys.stderr)
        return ExitCode.DONE
    with Actor(url, pruning=True) as actor:
        for item in todo:
            if item.state is State.DUE:
                manifest = exported.get(item.segment)
                intend(actor, item, who=arguments.actor, manifest=manifest, now_us=SystemClock().now_us())
            gone = finish(actor, item, now_us=SystemClock().now_us())
            print(f"sekisho: segment {item.segment}: {gone:,} records removed", file=sys.stderr)
    return ExitCode.DONE


def _exported(url: str, folders: Sequence[str], todo: Sequence[Item]) -> dict[str, str]:
    """Verify the packages, and return the manifest of each segment that one of them has whole.

    It must be of this log: the registry of another could say anything of what was erased. And it must have
    the URLs, which are gone otherwise. Raises UsageError when a segment needs an export and none has it.
    """
    found: dict[str, str] = {}
    for name in folders:
        report = verify_package(Path(name), trusted=_first_key(url))
        if not report.findings_total and not _manifest(Path(name)).urls:
            raise UsageError(
                f"the export {name} was made without URLs, which would be lost: make one with them"
            )
        if report.findings_total:
            raise UsageError(f"the export {name} is not intact: run `sekisho log verify --export {name}`")
        for part in report.segments:
            wanted = next((item for item in todo if item.segment == str(part.segment)), None)
            if wanted is not None and (part.root, part.records) == (wanted.root, wanted.size):
                found[wanted.segment] = _manifest_digest(Path(name))
    for item in todo:
        needs = item.state is State.DUE and item.series is not None and item.series.export_first
        if needs and item.segment not in found:
            raise UsageError(
                f"series {item.retention!r} wants an export first, and none has segment {item.segment}: run"
                " `sekisho log export --package DIR`, keep it, and name it with --export DIR"
            )
    return found


def _first_key(url: str) -> list[VerifierKey]:
    """Return the key that the log began with, which signed whatever was exported of it."""
    with LogReader.open(url) as reader:
        events = [leaf.event for leaf in reader.leaves({KeyAdded.KIND})]
    return [parse_vkey(event.vkey) for event in events[:1] if isinstance(event, KeyAdded)]


def _manifest(folder: Path) -> Manifest:
    return parse_manifest((folder / MANIFEST).read_bytes())


def _manifest_digest(folder: Path) -> str:
    return sha256((folder / MANIFEST).read_bytes()).hexdigest()
