"""`sekisho log erase`: remove a URL from the log, with an entry that says so."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from blocklists.errors import ExitCode
from crawler.decisionlog import store
from crawler.decisionlog.clock import SystemClock
from crawler.decisionlog.location import log_url
from crawler.decisionlog.retention.acts import Actor
from crawler.decisionlog.retention.erase import Found, erase_everywhere, find, open_segments
from policies.console import printable

if TYPE_CHECKING:
    import argparse


def erase_url(arguments: argparse.Namespace) -> int:
    """Preview or erase a URL, and return the exit code. Raises SekishoError."""
    url = log_url(arguments.log)
    if not arguments.yes:
        place = store.log_place(url)
        connection = store.open_for_reading(place)
        try:
            with store.explained(place, "read"):
                found = find(connection, arguments.url)
        finally:
            connection.close()
        _say(arguments.url, found, "would be")
        print("sekisho: nothing was erased; add --yes to erase", file=sys.stderr)
        return ExitCode.DONE
    with Actor(url, pruning=True) as actor:

        def tell(found: Found) -> None:
            _say(arguments.url, found, "were")
            with actor.explained():
                under_way = open_segments(actor.connection)
            if under_way:
                print(
                    f"sekisho: not sealed: {', '.join(under_way)}. A run that is under way and decides on"
                    " this URL again records it again: end it, or keep it from the URL, then erase once more",
                    file=sys.stderr,
                )

        erase_everywhere(
            actor,
            arguments.url,
            basis=arguments.basis,
            who=arguments.actor,
            now_us=SystemClock().now_us,
            tell=tell,
        )
    return ExitCode.DONE


def _say(url: str, found: Found, verb: str) -> None:
    print(f"{printable(url)}: the URLs of {len(found.places):,} records {verb} erased")
    for place in found.places:
        print(f"  {place.segment}#{place.idx}")
    for digest in found.documents:
        print(f"  document {digest}, in which it stands")
    for folder in found.exports:
        print(f"Exports hold copies, which this command cannot reach: {printable(folder)}")
    print("Backups of the database hold copies until they are overwritten.")
