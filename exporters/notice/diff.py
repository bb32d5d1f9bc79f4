"""What differs between two versions of an agent file, key by key, and what of it site owners should notice.

Compares declared meaning, not text: comments, order and layout do not count, nor do `version` and
`effective_from`, which every version changes. Pure: reads no file, no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from policies.agents_labels import FIELDS, Label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.agents import AgentPolicy, Period, ThirdPartyCrawler

Value = str | int | bool | tuple[str, ...] | None

_HEADER = frozenset({"schema", "version", "effective_from"})
_THIRD_PARTY = "third_party_crawlers"


class Attention(StrEnum):
    """Why a change deserves a second look. The words are in `wording.toml`."""

    NONE = "none"
    COLLECTS_MORE = "collects_more"  # new purposes, a longer period, a further third-party crawler
    PROMISES_LESS = "promises_less"  # something is no longer honoured, or is honoured later
    CHECK_RULES = "check_rules"  # robots.txt rules or filters that name the old identity no longer fit


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One key that differs. None stands for a key that was not declared.

    `added` and `removed` are the items of a list that came and went, empty for other keys.
    """

    field: str
    label: Label
    before: Value
    after: Value
    attention: Attention
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def _label(field: str) -> Label:
    if field in FIELDS:
        return FIELDS[field]
    head, _, name = field.partition(".")
    return Label(en=f"{FIELDS[head].en}: {name}", ja=f"{FIELDS[head].ja}: {name}")


def _period(period: Period) -> str:
    return f"{period.start.isoformat()} – {'' if period.end is None else period.end.isoformat()}".rstrip()


def _third_party(crawler: ThirdPartyCrawler) -> tuple[str, ...]:
    parts = (
        crawler.name,
        crawler.identifier,
        crawler.operator,
        _period(crawler.period),
        crawler.domains_index,
    )
    return tuple(part for part in parts if part is not None)


def _flat(members: dict[str, object], prefix: str = "") -> Iterator[tuple[str, Value]]:
    for key, member in members.items():
        if isinstance(member, dict):
            yield from _flat(member, f"{prefix}{key}.")
        elif isinstance(member, list):
            yield f"{prefix}{key}", tuple(sorted(str(item) for item in member))
        elif isinstance(member, str | int):
            yield f"{prefix}{key}", member


def declared(policy: AgentPolicy) -> dict[str, Value]:
    """Return every declared key of an agent with its value; lists are sorted, dates ISO 8601.

    A third-party crawler is one key, `third_party_crawlers.<identifier>`, numbered when repeated.
    """
    members = policy.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={_THIRD_PARTY})
    flat = {field: value for field, value in _flat(members) if field not in _HEADER}
    for crawler in policy.third_party_crawlers:
        field, repeat = f"{_THIRD_PARTY}.{crawler.identifier}", 1
        while field in flat:
            repeat += 1
            field = f"{_THIRD_PARTY}.{crawler.identifier} ({repeat})"
        flat[field] = _third_party(crawler)
    return flat


def _attention(
    field: str, before: Value, after: Value, added: tuple[str, ...], removed: tuple[str, ...]
) -> Attention:
    if field in ("token", "user_agent"):
        return Attention.CHECK_RULES
    longer = isinstance(before, int) and isinstance(after, int) and after > before
    if (field == "honours" and removed) or (field == "robots.max_age_seconds" and longer):
        return Attention.PROMISES_LESS
    if field.startswith("signals.") and after is (field == "signals.research_org"):
        return Attention.PROMISES_LESS
    if (field == "purposes" and added) or (field.startswith(_THIRD_PARTY) and after is not None):
        return Attention.COLLECTS_MORE
    earlier = field == "collection.start" and str(after) < str(before)
    later = field == "collection.end" and before is not None and (after is None or str(after) > str(before))
    return Attention.COLLECTS_MORE if earlier or later else Attention.NONE


def _change(field: str, before: Value, after: Value) -> FieldChange:
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    if field in ("purposes", "honours") and isinstance(before, tuple) and isinstance(after, tuple):
        added = tuple(item for item in after if item not in before)
        removed = tuple(item for item in before if item not in after)
    return FieldChange(
        field=field,
        label=_label(field),
        before=before,
        after=after,
        attention=_attention(field, before, after, added, removed),
        added=added,
        removed=removed,
    )


def diff(old: AgentPolicy, new: AgentPolicy) -> tuple[FieldChange, ...]:
    """Return every key whose declared value differs, in the order of the file; empty for equal meaning."""
    before, after = declared(old), declared(new)
    order = list(FIELDS)

    def position(field: str) -> tuple[int, str]:
        return order.index(field) if field in order else len(order), field

    return tuple(
        _change(field, before.get(field), after.get(field))
        for field in sorted(before.keys() | after.keys(), key=position)
        if before.get(field) != after.get(field)
    )
