"""Refreshes block lists, compiles them, shows their state, and frees a site that is listed wrongly.

    sekisho blocklists add hagezi-anti-piracy --accept-licence
    sekisho blocklists refresh
    sekisho blocklists why bad.example

Lists are fetched by a guarded run like any other: each request has its decision in the log, and so has what
became of each list. Everything else reads and writes the folder of lists alone.
Exit codes: 0 done; 2 usage; 3 something is stale, held or (`--exit-code`) listed or different; 4 a snapshot
is damaged; 5 refused; 75 somebody else is changing the lists, or no list could be reached.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from blocklists.errors import UsageError
from blocklists.store_prune import LEAST_KEEP, USUAL_KEEP
from policies.console import OutputFormat, one_of

HELP = "refresh, compare and explain the block lists, and free a site that is listed wrongly"
EXAMPLES = (
    "sekisho blocklists status                           # which lists are in force, how old, what is held",
    "sekisho blocklists add                              # well-known lists, and under which licence",
    "sekisho blocklists add hagezi-anti-piracy --accept-licence",
    "sekisho blocklists add --host bad.example --reason 'asked by the rights holder'",
    "sekisho blocklists refresh                          # fetch what is due, through log and door",
    "sekisho blocklists refresh --accept hagezi-anti-piracy=0123456789ab",
    "sekisho blocklists why https://bad.example/x        # every row that names it, and how it is freed",
    "sekisho blocklists override good.example --reason library --owner law@example.com --until 2027-01-31",
    "sekisho blocklists diff                             # the last change",
    "sekisho blocklists build --index mapped             # compile own lists after editing them",
    "sekisho blocklists prune --keep 5 --dry-run         # which old snapshots would be removed",
)


class _Parser(argparse.ArgumentParser):
    """A parser whose help begins with the examples of its command."""

    def format_help(self) -> str:
        """Return the examples, then argparse's text."""
        name = self.prog.rsplit(" ", 1)[-1]
        lines = [line for line in EXAMPLES if line.startswith(f"sekisho blocklists {name}")]
        return "Examples:\n" + "".join(f"  {line}\n" for line in lines) + "\n" + super().format_help()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands with their options."""
    commands = parser.add_subparsers(
        dest="action",
        metavar="refresh|status|diff|why|add|override|build|prune",
        required=True,
        parser_class=_Parser,
    )
    common = _Parser(add_help=False)
    common.add_argument(
        "--blocklists",
        metavar="DIR",
        help="folder of lists (default: SEKISHO_BLOCKLISTS, the project's setting)",
    )
    shown = _Parser(add_help=False, parents=[common])
    shown.add_argument(
        "--format", type=one_of(OutputFormat), choices=list(OutputFormat), default=OutputFormat.TABLE
    )
    shown.add_argument(
        "--json", action="store_const", const=OutputFormat.JSON, dest="format", help="same as --format json"
    )
    _refresh(commands, shown)
    _reading(commands, shown)
    _changing(commands, common)
    _pruning(commands, shown)


def _refresh(commands: argparse._SubParsersAction[_Parser], shown: _Parser) -> None:
    refresh = commands.add_parser(
        "refresh", parents=[shown], help="fetch the lists that are due", allow_abbrev=False
    )
    refresh.add_argument(
        "ids", nargs="*", metavar="ID", help="only these lists (default: every accepted one)"
    )
    refresh.add_argument("--force", action="store_true", help="ask for lists that are not due yet, too")
    refresh.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="ID=DIGEST",
        help="put a held list in force after review; its digest is shown by status",
    )
    refresh.add_argument("--agent", metavar="TOKEN", help="product token (default: the only declared agent)")
    refresh.add_argument("--policies", metavar="DIR", help="folder with agents/*.toml")
    refresh.add_argument("--log", metavar="URL", help="decision log (default: SEKISHO_LOG)")


def _reading(commands: argparse._SubParsersAction[_Parser], shown: _Parser) -> None:
    status = commands.add_parser(
        "status", parents=[shown], help="what is in force, how old it is, what is held", allow_abbrev=False
    )
    status.add_argument("--verify", action="store_true", help="read every octet of the snapshot in force")
    status.add_argument("--warn-days", type=float, default=None, metavar="N", help="stale after N days")

    diff = commands.add_parser(
        "diff", parents=[shown], help="what changed between two snapshots", allow_abbrev=False
    )
    diff.add_argument(
        "snap1", nargs="?", metavar="SNAP1", help="beginning of a digest (default: the one before)"
    )
    diff.add_argument("snap2", nargs="?", metavar="SNAP2", help="beginning of a digest (default: CURRENT)")
    diff.add_argument(
        "--limit", type=int, default=50, metavar="N", help="rows shown, 0 for all (default: 50)"
    )
    diff.add_argument("--exit-code", action="store_true", help="exit with 3 when they differ")

    why = commands.add_parser(
        "why", parents=[shown], help="every row that names a host or URL", allow_abbrev=False
    )
    why.add_argument("names", nargs="+", metavar="HOST|URL")
    why.add_argument("--snapshot", metavar="SNAP", help="ask an earlier snapshot (beginning of its digest)")
    why.add_argument("--profile", metavar="NAME", help="which weights block (default: SEKISHO_PROFILE)")
    why.add_argument("--exit-code", action="store_true", help="exit with 3 when one is blocked")


def _changing(commands: argparse._SubParsersAction[_Parser], common: _Parser) -> None:
    add = commands.add_parser(
        "add", parents=[common], help="switch on a well-known list, or list a site", allow_abbrev=False
    )
    add.add_argument("id", nargs="?", metavar="ID", help="a list to be fetched; none shows which there are")
    add.add_argument("--accept-licence", action="store_true", help="its licence was read and is accepted")
    add.add_argument("--host", metavar="HOST", help="put a site into the list of our own")
    add.add_argument("--reason", metavar="TEXT", help="why it is listed")

    override = commands.add_parser(
        "override", parents=[common], help="free a site that is listed wrongly", allow_abbrev=False
    )
    override.add_argument("host", metavar="HOST|URL-PREFIX")
    override.add_argument("--reason", metavar="TEXT", help="why it is listed wrongly")
    override.add_argument("--owner", metavar="WHO", help="who answers for it")
    override.add_argument("--until", metavar="DATE", help="last day (UTC) on which it is free")
    override.add_argument("--end", action="store_true", help="end the override of this site")

    build = commands.add_parser(
        "build", parents=[common], help="compile the lists of the folder", allow_abbrev=False
    )
    build.add_argument(
        "--index",
        choices=("auto", "memory", "mapped"),
        default="auto",
        help="mapped writes an index that processes share (extra: sekisho[marisa])",
    )


def _pruning(commands: argparse._SubParsersAction[_Parser], shown: _Parser) -> None:
    prune = commands.add_parser(
        "prune", parents=[shown], help="remove old compiled snapshots", allow_abbrev=False
    )
    prune.add_argument(
        "--keep", type=int, metavar="N", help="how many stay (default: SEKISHO_LISTS_KEEP, else 10)"
    )
    prune.add_argument("--dry-run", action="store_true", help="say what would be removed")


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked and return the exit code. Raises SekishoError."""
    action = arguments.action
    # Imported here: only a refresh needs Scrapy.
    if action == "refresh":
        from crawler.commands.blocklists_refresh import refresh  # noqa: PLC0415

        return refresh(arguments)
    folder = folder_of(arguments.blocklists)
    if action in ("status", "diff", "why"):
        from crawler.commands import blocklists_show  # noqa: PLC0415

        show = {
            "status": blocklists_show.show_status,
            "diff": blocklists_show.show_diff,
            "why": blocklists_show.show_why,
        }
        return show[action](folder, arguments)
    from crawler.commands import blocklists_change  # noqa: PLC0415

    change = {
        "add": blocklists_change.add,
        "override": blocklists_change.override,
        "build": blocklists_change.build,
        "prune": blocklists_change.prune,
    }
    return change[action](folder, arguments)


def folder_of(explicit: str | None) -> Path:
    """Return the folder of lists: the option, else the environment, else the project's setting."""
    found = explicit or os.environ.get("SEKISHO_BLOCKLISTS") or project_setting("SEKISHO_BLOCKLISTS")
    return Path(found or "lists")


def lists_keep() -> int:
    """Return how many compiled snapshots stay; UsageError when the setting is no such number."""
    given = os.environ.get("SEKISHO_LISTS_KEEP") or project_setting("SEKISHO_LISTS_KEEP")
    if not given:
        return USUAL_KEEP
    if not given.isdecimal() or int(given) < LEAST_KEEP:
        raise UsageError(f"SEKISHO_LISTS_KEEP = {given!r}: a whole number from {LEAST_KEEP} on is needed")
    return int(given)


def project_setting(name: str) -> str | None:
    """Return a setting of the Scrapy project around the working folder, None where there is none."""
    if not any((folder / "scrapy.cfg").is_file() for folder in (Path.cwd(), *Path.cwd().parents)):
        return None
    from scrapy.utils.project import get_project_settings  # noqa: PLC0415 - only where a project stands

    value = get_project_settings().get(name)
    return None if value is None else str(value)
