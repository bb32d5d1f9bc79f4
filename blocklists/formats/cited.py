"""One row that cites its own authority, as CSV columns or JSON members: checked text in, a finding out.

Decides which fields such a row may have, and what each may hold: dates are calendar days, a weight that rests
on a decision names who decided, a term does not end before it begins.
Pure; raises only the errors of `names`.
"""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import date, datetime
from typing import TYPE_CHECKING, TypeVar

from blocklists.entry import NEEDS_AUTHORITY, EntryAction, Match, Weight
from blocklists.formats.lines import Found
from blocklists.formats.names import NotUnderstoodError, parse_address, parse_target, parse_url
from blocklists.formats.row import RowDetails

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Members beside those of `RowDetails`.
_OWN = ("pattern", "match", "action")
FIELDS: frozenset[str] = frozenset({*_OWN, *(field.name for field in fields(RowDetails))})
_DATES = frozenset({"decision_date", "valid_from", "valid_until"})
_MAX_FIELD = 2_000
# Every field ends in a record and on a terminal: C0, C1, and the surrogates that JSON can escape.
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_Kind = TypeVar("_Kind", Match, Weight, EntryAction)


def read_cited(
    values: Mapping[str, str], scope: Match, *, authority_known: bool, date_format: str = "%Y-%m-%d"
) -> Found:
    """Return what a row says; `values` holds the members that it has, by the names of `FIELDS`.

    An empty value is no value. `authority_known` says that the manifest names an authority for rows that do
    not. `date_format` is that of `strptime`.
    """
    given = {name: value.strip() for name, value in values.items() if value and value.strip()}
    for name, value in given.items():
        if len(value) > _MAX_FIELD:
            raise NotUnderstoodError(f"`{name}` is longer than {_MAX_FIELD} characters")
        if _UNWRITABLE.search(value):
            raise NotUnderstoodError(f"`{name}` holds a control character or half a character")
    dates = {name: _day(name, given[name], date_format) for name in _DATES & given.keys()}
    weight = _member(Weight, "weight", given["weight"]) if "weight" in given else None
    details = RowDetails(
        weight=weight,
        authority=given.get("authority"),
        jurisdiction=given.get("jurisdiction"),
        decision_ref=given.get("decision_ref"),
        decision_date=dates.get("decision_date"),
        valid_from=dates.get("valid_from"),
        valid_until=dates.get("valid_until"),
        source_url=given.get("source_url"),
        category=given.get("category"),
    )
    if weight in NEEDS_AUTHORITY and not (details.authority or authority_known):
        raise NotUnderstoodError(f"weight {weight.value!r} cites a decision, but no `authority` is named")
    if details.valid_from and details.valid_until and details.valid_from > details.valid_until:
        raise NotUnderstoodError("`valid_from` is later than `valid_until`")
    action = _member(EntryAction, "action", given.get("action", EntryAction.BLOCK.value))
    if action is EntryAction.OVERRIDE:
        raise NotUnderstoodError("an override stands in overrides.toml, with its owner and its end")
    pattern, match = _reach(given, scope)
    return Found(
        pattern=pattern, match=match, action=action, details=None if details == RowDetails() else details
    )


def _reach(given: Mapping[str, str], scope: Match) -> tuple[str, Match]:
    text = given.get("pattern")
    if text is None:
        raise NotUnderstoodError("has no `pattern`")
    if "match" not in given:
        return _guessless(text, scope)
    match = _member(Match, "match", given["match"])
    if match is Match.URL_PREFIX:
        return parse_url(text), match
    if match is Match.IP:
        address = parse_address(text)
        if address is None:
            raise NotUnderstoodError("is not an IP address")
        return address, match
    pattern, found = parse_target(text, match)
    if found is not match:
        raise NotUnderstoodError(f"is an address, which cannot have the match {match.value!r}")
    return pattern, match


def _guessless(text: str, scope: Match) -> tuple[str, Match]:
    """Read a pattern by its form: a name or address, or a URL, whose path limits what it names."""
    scheme, _, rest = text.partition("://")
    if scheme.lower() in ("http", "https") and rest:
        if rest.rstrip("/").partition("/")[0] == rest.rstrip("/"):
            return parse_target(rest.rstrip("/"), scope)
        return parse_url(text), Match.URL_PREFIX
    if "/" in text:
        return parse_url(text), Match.URL_PREFIX
    return parse_target(text, scope)


def _day(name: str, text: str, date_format: str) -> date:
    try:
        if date_format == "%Y-%m-%d":
            return date.fromisoformat(text)
        return datetime.strptime(text, date_format).date()  # noqa: DTZ007 - a calendar day has no zone
    except ValueError as error:
        raise NotUnderstoodError(
            f"`{name}` is {text[:40]!r}, which is no day of the form {date_format}"
        ) from error


def _member(kind: type[_Kind], name: str, text: str) -> _Kind:
    try:
        return kind(text)
    except ValueError as error:
        known = ", ".join(member.value for member in kind)
        raise NotUnderstoodError(f"`{name}` is {text[:40]!r}; it may be {known}") from error
