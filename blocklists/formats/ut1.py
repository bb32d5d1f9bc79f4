"""Folders of the UT1 lists: `domains` names hosts, `urls` names paths on hosts that are not listed whole.

Decides that a host row covers its subtree, and a path row its path alone: `urls` rows are never widened to
their host, because they exist to spare it. Line numbers are those of the file that holds the row; a path row
is told by its slash.
No specification exists; the format is that of https://dsi.ut-capitole.fr/blacklists/.
Pure; never raises on hostile input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocklists.entry import Match
from blocklists.formats.lines import Collector, Found, collect, each_line
from blocklists.formats.names import parse_url
from blocklists.formats.plain import parse_plain
from blocklists.formats.row import ParsedList, Row, Rows

if TYPE_CHECKING:
    from collections.abc import Iterable

PARSER = "ut1/1"


def parse_ut1(domains: bytes, urls: bytes, *, scope: Match) -> ParsedList:
    """Return the rows of both files, those of `domains` first. Addresses become `Match.IP`."""
    hosts = parse_plain(domains, scope=scope)
    paths = _parse_paths(urls)
    patterns = [*hosts.rows.patterns, *paths.rows.patterns]
    line_nos = hosts.rows.line_nos[:]
    line_nos.extend(paths.rows.line_nos)
    special: dict[int, Row] = dict(hosts.rows.special)
    special.update({len(hosts.rows) + at: row for at, row in paths.rows.special.items()})
    return ParsedList(
        rows=Rows(scope=scope, patterns=patterns, line_nos=line_nos, special=special, raw=hosts.rows.raw),
        rejected=hosts.rejected + paths.rejected,
        quarantined=hosts.quarantined + paths.quarantined,
        duplicates=hosts.duplicates + paths.duplicates,
        fault=hosts.fault or paths.fault,
    )


def _parse_paths(octets: bytes) -> ParsedList:
    # No row has this scope, so that every row of the result is a special one and keeps its own text.
    collector = Collector(octets, Match.IP)

    def read(text: str, _: Match) -> Iterable[Found]:
        return (Found(pattern=parse_url(text), match=Match.URL_PREFIX),)

    def work() -> None:
        for line_no, text in each_line(collector, ("#",)):
            collector.take(line_no, text, read)

    collect(work)
    return collector.result()
