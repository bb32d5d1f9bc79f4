"""Legal holds: while one stands, nothing in its scope is pruned or erased.

Each is an entry of the log's registry: set by whom, why, on whose authority, and by whom it was released.
Exit codes: 0 done; 2 usage; 4 the log was changed; 5 the log cannot be written.
"""

from __future__ import annotations

import argparse
import secrets
from typing import TYPE_CHECKING, Final

from blocklists.errors import ExitCode, UsageError
from crawler.decisionlog import store
from crawler.decisionlog.clock import SystemClock
from crawler.decisionlog.export import rfc3339
from crawler.decisionlog.location import DEFAULT, log_url
from crawler.decisionlog.registry import HoldCleared, HoldSet
from crawler.decisionlog.retention.acts import Actor
from crawler.decisionlog.retention.holds import Hold, checked_scope, holds, standing
from policies.console import OutputFormat, render

if TYPE_CHECKING:
    from collections.abc import Sequence

HELP = "legal holds: set, list, release"
EXAMPLES = (
    "sekisho hold add --scope host:example.org --reason 'claim 17' --authority counsel --actor compliance",
    "sekisho hold list",
    "sekisho hold release H-1a2b3c4d --reason 'claim settled' --actor compliance",
)
LIST: Final = "sekisho.hold-list/1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `add`, `list` and `release`."""
    commands = parser.add_subparsers(dest="action", metavar="add|list|release", required=True)
    log = argparse.ArgumentParser(add_help=False)
    log.add_argument(
        "--log", metavar="URL", help=f"the log; else SEKISHO_LOG, the Scrapy project's setting, {DEFAULT}"
    )
    add = commands.add_parser("add", parents=[log], help="set a hold", allow_abbrev=False)
    add.add_argument(
        "--scope", required=True, help="all, run:ID, segment:UUID or host:NAME (with subdomains)"
    )
    add.add_argument("--reason", required=True, help="why, such as the name of the case")
    add.add_argument("--authority", required=True, help="who ordered it")
    add.add_argument("--actor", required=True, help="who sets it")
    add.add_argument("--name", help="its name; default: a random one")
    listed = commands.add_parser(
        "list", parents=[log], help="every hold, also released ones", allow_abbrev=False
    )
    formats = [value.value for value in OutputFormat]
    listed.add_argument("--format", choices=formats, default="table", help="default: table")
    release = commands.add_parser("release", parents=[log], help="end a hold", allow_abbrev=False)
    release.add_argument("name", metavar="HOLD", help="its name")
    release.add_argument("--reason", required=True, help="why it ends")
    release.add_argument("--actor", required=True, help="who releases it")


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked and return the exit code. Raises SekishoError."""
    url = log_url(arguments.log)
    if arguments.action == "list":
        print(_listed(_holds(url), OutputFormat(arguments.format)))
        return ExitCode.DONE
    now_us = SystemClock().now_us()
    if arguments.action == "add":
        scope = checked_scope(arguments.scope)
        name = arguments.name or f"H-{secrets.token_hex(4)}"
        with Actor(url) as actor, actor.signed(now_us) as act:
            if any(hold.name == name for hold in holds(act.connection)):
                raise UsageError(f"there is a hold {name!r} already: give it another --name")
            act.append(
                HoldSet(
                    hold=name,
                    scope=scope,
                    reason=arguments.reason,
                    authority=arguments.authority,
                    actor=arguments.actor,
                )
            )
        print(name)
        return ExitCode.DONE
    with Actor(url) as actor, actor.signed(now_us) as act:
        names = [hold.name for hold in standing(holds(act.connection))]
        if arguments.name not in names:
            known = ", ".join(names) or "none"
            raise UsageError(f"no hold {arguments.name!r} stands; standing are: {known}")
        act.append(HoldCleared(hold=arguments.name, reason=arguments.reason, actor=arguments.actor))
    return ExitCode.DONE


def _holds(url: str) -> list[Hold]:
    place = store.log_place(url)
    connection = store.open_for_reading(place)
    try:
        with store.explained(place, "read"):
            return holds(connection)
    finally:
        connection.close()


def _listed(found: Sequence[Hold], output: OutputFormat) -> str:
    rows = [
        {
            "hold": hold.name,
            "scope": hold.scope,
            "reason": hold.reason,
            "authority": hold.authority,
            "actor": hold.actor,
            "set": rfc3339(hold.set_us),
            "released": None if hold.cleared_us is None else rfc3339(hold.cleared_us),
        }
        for hold in found
    ]
    return render(output, LIST, "holds", tuple(rows[0]) if rows else ("hold", "scope"), rows)
