"""Response policy zones: `x CNAME .` names a host alone, `*.x CNAME .` every host below it, both mean both.

Decides which records are about names: triggers on answers, clients and name servers are rejected, and so is a
record that sends visitors to another page. `rpz-passthru.` lifts blocks of its own zone, `rpz-drop.` blocks
(https://datatracker.ietf.org/doc/html/draft-vixie-dnsop-dns-rpz-00, sections 3 and 4).
Pure; never raises on hostile input.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from operator import lt
from typing import TYPE_CHECKING

from blocklists.entry import EntryAction, Match
from blocklists.formats.lines import NAME, Collector, Found, collect, unsafe_names
from blocklists.formats.names import NotUnderstoodError, check_characters, parse_name
from blocklists.host import MAX_HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from blocklists.formats.row import ParsedList

PARSER = "rpz/1"
_SIMPLE = re.compile(rf"(\*\.)?({NAME})[ \t]+CNAME[ \t]+\.")
_RECORD = re.compile(
    r"(?P<owner>[^ \t;]+)(?:[ \t]+(?:[0-9]+|IN))*[ \t]+CNAME[ \t]+(?P<target>[^ \t;]+)[ \t]*(?:;.*)?",
    re.IGNORECASE,
)
_FRAME = re.compile(r"(?:[^ \t;]+[ \t]+)?(?:(?:[0-9]+|IN)[ \t]+)*(?:SOA|NS)[ \t].*", re.IGNORECASE)
_OTHER_TRIGGERS = (".rpz-ip", ".rpz-client-ip", ".rpz-nsdname", ".rpz-nsip")
_ACTIONS = {
    ".": EntryAction.BLOCK,
    "*.": EntryAction.BLOCK,
    "rpz-drop.": EntryAction.BLOCK,
    "rpz-passthru.": EntryAction.ALLOW,
}


@dataclass(slots=True)
class _Zone:
    """The lines of one zone's records, by action and name; its SOA record may run over several lines."""

    records: int = 0
    origin: str = ""
    in_parentheses: bool = False
    apex: dict[EntryAction, dict[str, int]] = field(
        default_factory=lambda: {EntryAction.BLOCK: {}, EntryAction.ALLOW: {}}
    )
    below: dict[EntryAction, dict[str, int]] = field(
        default_factory=lambda: {EntryAction.BLOCK: {}, EntryAction.ALLOW: {}}
    )


def parse_rpz(octets: bytes, *, scope: Match) -> ParsedList:
    """Return the names of a zone: `Match.SUBTREE` where apex and wildcard agree, else HOST or BELOW.

    `scope` has to be `Match.SUBTREE`; how far a name reaches is what its records say. The line of a pair is
    that of its first record. `records` of the result counts the CNAME records, as zone headers do.
    Owners are relative to the zone, or below its `$ORIGIN` when they end in a dot.
    """
    collector = Collector(octets, scope)
    zone = _Zone()

    def work() -> None:
        _read_all(collector, zone)
        _merge(collector, zone)

    collect(work)
    return collector.result(records=zone.records)


def _read_all(collector: Collector, zone: _Zone) -> None:
    careful, careful_parents = unsafe_names()
    apex, below = zone.apex[EntryAction.BLOCK], zone.below[EntryAction.BLOCK]
    for first, lines in collector.raw.blocks():
        for line_no, line in enumerate(lines, first):
            row = _SIMPLE.fullmatch(line)
            if row is not None:
                wild, name = row.groups()
                if wild and name in apex:  # the usual pair, looked at a line ago
                    zone.records += 1
                    if below.setdefault(name, line_no) != line_no:
                        collector.duplicates += 1
                    continue
                if (
                    name not in careful
                    and name.partition(".")[2] not in careful_parents
                    and len(name) <= MAX_HOST
                    and "xn--" not in name
                    and not name.endswith(_OTHER_TRIGGERS)
                ):
                    zone.records += 1
                    if (below if wild else apex).setdefault(name, line_no) != line_no:
                        collector.duplicates += 1
                    continue
            if line.strip(" \t\r") and not line.lstrip(" \t").startswith(";"):
                collector.take(line_no, line.rstrip(" \t\r"), _reader(collector, zone, line_no))


def _reader(collector: Collector, zone: _Zone, line_no: int) -> Callable[[str, Match], tuple[Found, ...]]:
    def read(text: str, _: Match) -> tuple[Found, ...]:
        """Note a record in the zone; what it means is known only when its pair has been seen."""
        noted = _record(text, zone)
        if noted is not None:
            names, name = noted
            if names.setdefault(name, line_no) != line_no:
                collector.duplicates += 1
        return ()

    return read


def _record(text: str, zone: _Zone) -> tuple[dict[str, int], str] | None:
    """Return where a record belongs and its name; None for a line of the zone's frame."""
    if zone.in_parentheses:
        zone.in_parentheses = ")" not in text.partition(";")[0]
        return None
    if text.upper().startswith("$ORIGIN"):
        zone.origin = text.partition(";")[0].split()[-1].lower()
        return None
    if text.upper().startswith("$TTL"):
        return None
    row = _RECORD.fullmatch(text)
    if row is None:
        if _FRAME.fullmatch(text.lstrip()) is None:
            raise NotUnderstoodError("is not a CNAME record of a response policy zone")
        said = text.partition(";")[0]
        zone.in_parentheses = "(" in said and ")" not in said
        return None
    zone.records += 1
    action = _ACTIONS.get(row["target"].lower())
    if action is None:
        raise NotUnderstoodError(
            f"leads to {row['target'][:60]!r}, which is neither a block nor rpz-passthru."
        )
    owner = _relative(row["owner"].lower(), zone.origin)
    wild = owner.startswith("*.")
    name = owner[2:] if wild else owner
    if name.endswith(_OTHER_TRIGGERS):
        raise NotUnderstoodError("is triggered by an address or a name server, not by a host")
    check_characters(name)
    pattern = parse_name(name, Match.BELOW if wild else Match.HOST)
    return (zone.below if wild else zone.apex)[action], pattern


def _relative(owner: str, origin: str) -> str:
    if not owner.endswith("."):
        return owner
    suffix = f".{origin.rstrip('.')}."
    if len(suffix) > len("..") and owner.endswith(suffix):
        return owner.removesuffix(suffix)
    raise NotUnderstoodError("is an absolute name outside the zone; owners are relative, without a last dot")


def _merge(collector: Collector, zone: _Zone) -> None:
    """Collect every name once, in the order of the file, with the reach that its records give it."""
    if _take_pairs(collector, zone):
        return
    gathered: list[tuple[int, str, Match, EntryAction]] = []
    for action, apex in zone.apex.items():
        below = zone.below[action]
        for name, line_no in apex.items():
            other = below.get(name)
            match = Match.HOST if other is None else Match.SUBTREE
            gathered.append((line_no if other is None else min(line_no, other), name, match, action))
        gathered.extend(
            (line_no, name, Match.BELOW, action) for name, line_no in below.items() if name not in apex
        )
    gathered.sort()
    for line_no, name, match, action in gathered:
        if match is collector.scope and action is EntryAction.BLOCK:
            _take(collector, [name], [line_no])
            continue
        found = Found(pattern=name, match=match, action=action)
        collector.add(line_no, collector.raw.text(line_no), found)


def _take(collector: Collector, names: Iterable[str], lines: Iterable[int]) -> None:
    """Collect names, each for the first time, that are blocked with everything below them."""
    collector.patterns.extend(names)
    collector.line_nos.extend(lines)
    collector.verbatim = False


def _take_pairs(collector: Collector, zone: _Zone) -> bool:
    """Collect a zone of nothing but pairs in one step, as most are; False when this is another one."""
    if zone.apex[EntryAction.ALLOW] or zone.below[EntryAction.ALLOW]:
        return False
    apex, below = zone.apex[EntryAction.BLOCK], zone.below[EntryAction.BLOCK]
    if apex.keys() != below.keys():
        return False
    lines = list(map(min, apex.values(), map(below.__getitem__, apex)))
    if not all(map(lt, lines, lines[1:])):
        return False
    _take(collector, apex, lines)
    return True
