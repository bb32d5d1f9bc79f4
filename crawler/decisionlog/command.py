"""Export, verify or show the decision log.

Results go to standard output, everything else to standard error. Reads the log, never writes it.
Exit codes: 0 done; 2 usage; 4 something was changed or is missing; 5 the log cannot be read;
6 something cannot be verified by this version.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from blocklists.errors import ExitCode
from crawler.decisionlog.export import Exporter
from crawler.decisionlog.location import DEFAULT, log_url
from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.selection import add_selection, selection_of
from crawler.decisionlog.show import show_log, show_record, show_run
from crawler.decisionlog.verify import verify_log
from crawler.decisionlog.verify_text import verify_output
from policies.console import OutputFormat

if TYPE_CHECKING:
    from collections.abc import Callable

HELP = "export the decisions, verify that nothing was changed, show runs and records"
EXAMPLES = (
    "sekisho log show                                            # every run, with counts and heads",
    "sekisho log show 20261121T120000Z-1a2b3c4d                  # one run, by stage, verdict and reason",
    "sekisho log show 8d7d5a5e#17                                # one record with its evidence",
    "sekisho log verify                                          # was anything changed or removed?",
    "sekisho log export --host example.org --verdict skip        # what was refused there, and why",
    "sekisho log export --format csv --from 2026-11-01 > november.csv",
)


class _Parser(argparse.ArgumentParser):
    """A parser whose help begins with the examples of its command."""

    def format_help(self) -> str:
        """Return the examples, then argparse's text."""
        name = self.prog.rsplit(" ", 1)[-1]
        lines = [line for line in EXAMPLES if line.startswith(f"sekisho log {name}")]
        return "Examples:\n" + "".join(f"  {line}\n" for line in lines) + "\n" + super().format_help()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `export`, `verify` and `show` with their options."""
    commands = parser.add_subparsers(
        dest="action", metavar="export|verify|show", required=True, parser_class=_Parser
    )
    log = _Parser(add_help=False)
    log.add_argument(
        "--log", metavar="URL", help=f"the log; else SEKISHO_LOG, the Scrapy project's setting, {DEFAULT}"
    )
    formats = [value.value for value in OutputFormat]

    export = commands.add_parser("export", parents=[log], help="one decision a line", allow_abbrev=False)
    export.add_argument("--format", choices=("jsonl", "csv"), default="jsonl", help="default: jsonl")
    add_selection(export)

    verify = commands.add_parser(
        "verify", parents=[log], help="recompute every leaf, root and digest", allow_abbrev=False
    )
    verify.add_argument("--format", choices=formats, default="table", help="default: table")

    show = commands.add_parser("show", parents=[log], help="runs, one run, or one record", allow_abbrev=False)
    show.add_argument("what", nargs="?", metavar="RUN|SEGMENT#IDX", help="default: every run")
    show.add_argument("--format", choices=formats, default="table", help="default: table")


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked and return the exit code. Raises SekishoError."""
    with LogReader.open(log_url(arguments.log)) as reader:
        if arguments.action == "export":
            return _export(reader, arguments)
        output = OutputFormat(arguments.format)
        if arguments.action == "verify":
            return _verify(reader, output)
        what = arguments.what
        if what is None:
            print(show_log(reader, output))
        elif "#" in what:
            print(show_record(reader, what, output))
        else:
            print(show_run(reader, what, output))
    return ExitCode.DONE


def _export(reader: LogReader, arguments: argparse.Namespace) -> int:
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


def _progress() -> Callable[[int], None]:
    """Return what shows the number of verified records on a terminal."""

    def show(records: int) -> None:
        print(f"\r{records:,} records verified", end="", file=sys.stderr, flush=True)

    return show


def _verify(reader: LogReader, output: OutputFormat) -> int:
    watched = sys.stderr.isatty()
    report = verify_log(reader, _progress() if watched else None)
    if watched:
        print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
    print(verify_output(reader.path, report, output))
    return report.exit_code
