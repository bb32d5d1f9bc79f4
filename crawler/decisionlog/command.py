"""Export, verify or show the decision log; show its head and its keys.

Results go to standard output, everything else to standard error. Only `init`, `migrate`, `erase`,
`key rotate` and, to record it, `export --package` write to a log.
Exit codes: 0 done; 2 usage; 4 something was changed or is missing; 5 the log cannot be read;
6 something cannot be verified here.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from blocklists.errors import ExitCode, UsageError
from crawler.decisionlog import command_keys, command_proof, command_setup
from crawler.decisionlog.command_anchor import anchor
from crawler.decisionlog.command_erase import erase_url
from crawler.decisionlog.command_export import add_export
from crawler.decisionlog.command_lookup import show_lookup
from crawler.decisionlog.location import DEFAULT, log_url
from crawler.decisionlog.package.verify import verify_package
from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.show import show_log, show_record, show_run
from crawler.decisionlog.timestamps import load_roots
from crawler.decisionlog.verify import verify_log
from crawler.decisionlog.verify_text import verify_output
from policies.console import OutputFormat

if TYPE_CHECKING:
    from collections.abc import Callable

    from crawler.decisionlog.place import LogPlace

    Actions = argparse._SubParsersAction["_Parser"]  # noqa: SLF001 - argparse gives its type no other name

HELP = "export the decisions, verify that nothing was changed, show runs and records"
EXAMPLES = (
    "sekisho log show                                            # every run, with counts and heads",
    "sekisho log show 20261121T120000Z-1a2b3c4d                  # one run, by stage, verdict and reason",
    "sekisho log show 8d7d5a5e#17                                # one record with its evidence",
    "sekisho log verify                                          # was anything changed or removed?",
    "sekisho log verify --known-checkpoint last-month.checkpoint # … since somebody else has kept this?",
    "sekisho log verify --url-index                              # … and the indexes that find URLs?",
    "sekisho log lookup example.org                              # when, under which policy, and why",
    "sekisho log lookup https://example.org/page                 # every record of one URL",
    "sekisho log lookup https://example.org/page --exhaustive    # … without trusting any index",
    "sekisho log prove 8d7d5a5e#17 --out record.proof            # for somebody who does not have the log",
    "sekisho log prove --host example.org --segment 8d7d5a5e     # … that it was there, or was not",
    "sekisho log check record.proof --key VKEY                   # what does this prove?",
    "sekisho log erase https://example.org/~name --basis 'request 17' --actor compliance   # preview",
    "sekisho log anchor --tsa https://tsa.example/ --tsa-roots tsa.pem   # attested by others; 75: try later",
    "sekisho log head > 2026-11.checkpoint                       # what to publish, or to deposit elsewhere",
    "sekisho log key show                                        # every key that ever signed",
    "sekisho log key rotate --new-key-file new.key --why 'yearly change'",
    "sekisho log export --host example.org --verdict skip        # what was refused there, and why",
    "sekisho log export --format csv --from 2026-11-01 > november.csv",
    "sekisho log export --package DIR                            # all of it, for a court or an archive",
    "sekisho log verify --export DIR --key VKEY --known-checkpoint FILE",
    *command_setup.EXAMPLES,
)


class _Parser(argparse.ArgumentParser):
    """A parser whose help begins with the examples of its command."""

    def format_help(self) -> str:
        """Return the examples, then argparse's text."""
        lines = [line for line in EXAMPLES if line.startswith(f"{self.prog} ")]
        return "Examples:\n" + "".join(f"  {line}\n" for line in lines) + "\n" + super().format_help()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare every action with its options; each sets the `handler` that does it."""
    commands = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=_Parser)
    log = _Parser(add_help=False)
    log.add_argument(
        "--log", metavar="URL", help=f"the log; else SEKISHO_LOG, the Scrapy project's setting, {DEFAULT}"
    )
    _add_reading(commands, log)
    _add_signing(commands, log)
    _add_asking(commands, log)
    _add_erasing(commands, log)
    _add_anchoring(commands, log)
    _add_setup(commands, log)


def _add_format(parser: argparse.ArgumentParser) -> None:
    formats = [value.value for value in OutputFormat]
    parser.add_argument("--format", choices=formats, default="table", help="default: table")


def _add_reading(commands: Actions, log: _Parser) -> None:
    add_export(
        commands.add_parser(
            "export", parents=[log], help="decisions as lines, or a package", allow_abbrev=False
        )
    )

    verify = commands.add_parser(
        "verify", parents=[log], help="recompute every leaf, root and digest", allow_abbrev=False
    )
    verify.add_argument("--export", metavar="DIR", help="verify this export package instead of a log")
    verify.add_argument(
        "--known-checkpoint",
        action="append",
        default=[],
        metavar="FILE",
        help="a checkpoint that was kept outside the log; else the one that its writers keep",
    )
    verify.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="VKEY",
        help="a key that must have signed, or a file with it",
    )
    verify.add_argument(
        "--url-index", action="store_true", help="compare the indexes of URLs with the records too"
    )
    verify.add_argument(
        "--tsa-roots", metavar="FILE", help="PEM certificates to check the log's timestamps against"
    )
    verify.add_argument(
        "--witness-key",
        action="append",
        default=[],
        metavar="VKEY",
        help="the key of a witness that you trust, or a file with it",
    )
    _add_format(verify)
    verify.set_defaults(handler=_verify)

    show = commands.add_parser("show", parents=[log], help="runs, one run, or one record", allow_abbrev=False)
    show.add_argument("what", nargs="?", metavar="RUN|SEGMENT#IDX", help="default: every run")
    _add_format(show)
    show.set_defaults(handler=_show)


def _add_signing(commands: Actions, log: _Parser) -> None:
    head = commands.add_parser(
        "head", parents=[log], help="the newest signed checkpoint, to be kept elsewhere", allow_abbrev=False
    )
    _add_format(head)
    head.set_defaults(handler=_head)

    key = commands.add_parser("key", help="the keys that sign", allow_abbrev=False)
    keys = key.add_subparsers(dest="key_action", metavar="show|rotate", required=True, parser_class=_Parser)
    listed = keys.add_parser("show", parents=[log], help="every key that ever signed", allow_abbrev=False)
    _add_format(listed)
    listed.set_defaults(handler=_keys)
    rotate = keys.add_parser("rotate", parents=[log], help="retire the key for a new one", allow_abbrev=False)
    rotate.add_argument("--new-key-file", required=True, metavar="FILE", help="file of the new key")
    rotate.add_argument("--why", required=True, help="reason, for the record")
    rotate.set_defaults(handler=_rotate)


def _add_setup(commands: Actions, log: _Parser) -> None:
    init = commands.add_parser(
        "init", parents=[log], help="set a log up; needed once, in PostgreSQL", allow_abbrev=False
    )
    init.add_argument("--print", action="store_true", help="print the SQL and do nothing")
    init.set_defaults(handler=command_setup.init)
    migrate = commands.add_parser(
        "migrate", parents=[log], help="take a log to the present format", allow_abbrev=False
    )
    migrate.add_argument("--yes", action="store_true", help="do it; else only say what would be done")
    migrate.set_defaults(handler=command_setup.migrate)


def _add_asking(commands: Actions, log: _Parser) -> None:
    asked = commands.add_parser(
        "lookup", parents=[log], help="what the log holds of a host, a domain or a URL", allow_abbrev=False
    )
    asked.add_argument("target", metavar="HOST|URL", help="a host stands for its subdomains too")
    asked.add_argument(
        "--exhaustive", action="store_true", help="of a URL: read all records of its host, trust no index"
    )
    _add_format(asked)
    asked.set_defaults(handler=_lookup)

    prove = commands.add_parser(
        "prove", parents=[log], help="a proof of one record or host, for an outsider", allow_abbrev=False
    )
    prove.add_argument("place", nargs="?", metavar="SEGMENT#IDX", help="the record")
    prove.add_argument("--host", help="prove that the segment has this host, or that it has not")
    prove.add_argument("--segment", help="the segment, for --host")
    prove.add_argument("--out", metavar="FILE", help="write here (a new file) instead of standard output")
    prove.set_defaults(handler=_prove)

    check = commands.add_parser("check", help="check a proof, without any log", allow_abbrev=False)
    check.add_argument("file", metavar="PROOF", help="what `sekisho log prove` wrote")
    check.add_argument(
        "--key",
        action="append",
        required=True,
        metavar="VKEY",
        help="the log's verifier key, or a file with it",
    )
    check.add_argument(
        "--witness-key",
        action="append",
        default=[],
        metavar="VKEY",
        help="a witness that must have cosigned, or a file with its key",
    )
    _add_format(check)
    check.set_defaults(handler=command_proof.check_proof)


def _add_anchoring(commands: Actions, log: _Parser) -> None:
    anchored = commands.add_parser(
        "anchor", parents=[log], help="have the newest checkpoint attested by others", allow_abbrev=False
    )
    anchored.add_argument("--tsa", action="append", default=[], metavar="URL", help="an RFC 3161 authority")
    anchored.add_argument(
        "--tsa-roots", metavar="FILE", help="PEM certificates that its answers must lead to"
    )
    anchored.add_argument(
        "--witness",
        action="append",
        nargs=2,
        default=[],
        metavar=("URL", "VKEY"),
        help="a C2SP witness: its submission prefix and its verifier key, or a file with it",
    )
    anchored.set_defaults(handler=anchor)


def _add_erasing(commands: Actions, log: _Parser) -> None:
    erased = commands.add_parser(
        "erase", parents=[log], help="remove a URL, with an entry that says so", allow_abbrev=False
    )
    erased.add_argument("url", metavar="URL", help="exactly as it stands in the log")
    erased.add_argument("--basis", required=True, help="legal basis or reason, for the record")
    erased.add_argument("--actor", required=True, help="who does it, for the record")
    erased.add_argument("--yes", action="store_true", help="erase; without it only say what would be")
    erased.set_defaults(handler=erase_url)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked and return the exit code. Raises SekishoError."""
    handler: Callable[[argparse.Namespace], int] = arguments.handler
    return handler(arguments)


def _open(arguments: argparse.Namespace) -> LogReader:
    return LogReader.open(log_url(arguments.log))


def _show(arguments: argparse.Namespace) -> int:
    output, what = OutputFormat(arguments.format), arguments.what
    with _open(arguments) as reader:
        if what is None:
            print(show_log(reader, output))
        elif "#" in what:
            print(show_record(reader, what, output))
        else:
            print(show_run(reader, what, output))
    return ExitCode.DONE


def _lookup(arguments: argparse.Namespace) -> int:
    with _open(arguments) as reader:
        output, exhaustive = OutputFormat(arguments.format), arguments.exhaustive
        print(show_lookup(reader, arguments.target, output, exhaustive=exhaustive))
    return ExitCode.DONE


def _prove(arguments: argparse.Namespace) -> int:
    with _open(arguments) as reader:
        return command_proof.prove(reader, arguments)


def _head(arguments: argparse.Namespace) -> int:
    with _open(arguments) as reader:
        print(command_keys.show_head(reader, OutputFormat(arguments.format)))
    return ExitCode.DONE


def _keys(arguments: argparse.Namespace) -> int:
    with _open(arguments) as reader:
        print(command_keys.show_keys(reader, OutputFormat(arguments.format)))
    return ExitCode.DONE


def _rotate(arguments: argparse.Namespace) -> int:
    print(command_keys.rotate(arguments))
    print(
        f"sekisho: from now on {arguments.new_key_file} signs the log: name it with SEKISHO_LOG_KEY_FILE",
        file=sys.stderr,
    )
    return ExitCode.DONE


def _progress() -> Callable[[int], None]:
    """Return what shows the number of verified records on a terminal."""

    def show(records: int) -> None:
        print(f"\r{records:,} records verified", end="", file=sys.stderr, flush=True)

    return show


def _verify(arguments: argparse.Namespace) -> int:
    trusted = command_keys.trusted_keys(arguments.key)
    witnesses = command_keys.witness_keys(arguments.witness_key)
    known = command_keys.known_checkpoints(arguments.known_checkpoint, witnesses)
    roots = load_roots(Path(arguments.tsa_roots)) if arguments.tsa_roots else []
    watched = sys.stderr.isatty()
    progress = _progress() if watched else None
    if arguments.export is not None:
        if arguments.url_index:
            raise UsageError("a package has no index of URLs: leave --url-index out, or verify a log")
        place: LogPlace = Path(arguments.export)
        report = verify_package(
            Path(arguments.export), progress, known=known, trusted=trusted, roots=roots, witnesses=witnesses
        )
    else:
        with _open(arguments) as reader:
            place = reader.path
            report = verify_log(
                reader,
                progress,
                known=known,
                trusted=trusted,
                roots=roots,
                witnesses=witnesses,
                url_index=arguments.url_index,
            )
    if watched:
        print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
    print(verify_output(place, report, OutputFormat(arguments.format)))
    return report.exit_code
