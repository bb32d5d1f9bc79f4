"""The native format: one JSON object a line, with everything that a refusal has to cite.

Decides which members a row has: `pattern`, and optionally `match`, `action`, `category`, `weight`,
`authority`, `jurisdiction`, `decision_ref`, `decision_date`, `valid_from`, `valid_until`, `source_url`, and
`note`, which is for the reader of the file. An unknown or repeated member is a mistake and rejects the row.
JSON Lines as in https://jsonlines.org/ (UTF-8, one value a line).
Pure; never raises on hostile input.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from blocklists.formats.cited import FIELDS, read_cited
from blocklists.formats.lines import Collector, Found, collect, each_line
from blocklists.formats.names import NotUnderstoodError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from blocklists.entry import Match
    from blocklists.formats.row import ParsedList

PARSER = "native/1"
_MAX_ROW = 16_384
_KNOWN = FIELDS | {"note"}


def parse_native(octets: bytes, *, scope: Match, authority_known: bool) -> ParsedList:
    """Return the rows of a native list; `scope` is the reach of names in rows that do not say `match`.

    Several rows of one name are kept when they cite different decisions.
    """
    collector = Collector(octets, scope)

    def read(text: str, scope: Match) -> Iterable[Found]:
        values = _members(text)
        values.pop("note", None)
        return (read_cited(values, scope, authority_known=authority_known),)

    def work() -> None:
        for line_no, text in each_line(collector, ()):
            collector.take(line_no, text, read)

    collect(work)
    return collector.result()


def _members(text: str) -> dict[str, str]:
    if len(text) > _MAX_ROW:
        raise NotUnderstoodError(f"longer than {_MAX_ROW} characters")
    try:
        value = json.loads(text, object_pairs_hook=_unrepeated)
    except (ValueError, RecursionError) as error:
        raise NotUnderstoodError(f"is not a JSON object ({error})") from error
    if not isinstance(value, dict):
        raise NotUnderstoodError("is not a JSON object")
    members: dict[str, str] = {}
    for name, member in value.items():
        if name not in _KNOWN:
            raise NotUnderstoodError(
                f"has the unknown member {name[:40]!r}; known are {', '.join(sorted(_KNOWN))}"
            )
        if member is None:
            continue
        if not isinstance(member, str):
            raise NotUnderstoodError(f"`{name}` is not text")
        members[name] = member
    return members


def _unrepeated(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotUnderstoodError("names a member twice")
    return members
