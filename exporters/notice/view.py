"""Entries in the words of one language, ready for a template that holds no logic.

Words come from `wording.toml` and `policies.agents_labels`. Pure but for reading that file once.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from babel.units import format_unit

from exporters.notice.diff import Attention, FieldChange, Value
from exporters.notice.entries import EntryKind, NoticeEntry
from policies.agents_labels import HONOURS, PURPOSES, Label
from policies.agents_model import Honour
from policies.vocabulary import Purpose

if TYPE_CHECKING:
    from datetime import date

    from policies.agents import AgentPolicy
    from policies.agents_model import Bilingual

Language = Literal["en", "ja"]
LANGUAGES: tuple[Language, ...] = ("ja", "en")
_SECONDS_AN_HOUR = 3600


@cache
def wording(language: Language) -> dict[str, str]:
    """Return the words of a language by key."""
    text = Path(__file__).with_name("wording.toml").read_text(encoding="utf-8")
    return dict(tomllib.loads(text)[language])


def in_language(text: Bilingual | Label, language: Language) -> str:
    """Return the text in a language."""
    return text.ja if language == "ja" else text.en


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One value of a difference; `marked` when this item came or went."""

    text: str
    marked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceView:
    """One row of the table of differences; empty `before` or `after` means not declared."""

    label: str
    mark: str
    before: tuple[Shown, ...]
    after: tuple[Shown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A link with its text."""

    href: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentView:
    """One agent as it is declared now."""

    token: str
    user_agent: str
    version: int
    effective_from: date
    upcoming: bool
    purposes: tuple[str, ...]
    operator: str
    operator_url: str
    contacts: tuple[Address, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """One announcement in one language."""

    id: str
    anchor: str
    heading: str
    kind: str
    attention: tuple[str, ...]
    published: date
    effective_from: date
    upcoming: bool
    lead: str
    what: str
    why: str
    site_owners: str
    differences: tuple[DifferenceView, ...] | None
    not_kept: bool
    json_name: str
    superseded: bool
    superseded_anchor: str
    corrects: bool
    sha256: str


def operator_name(policy: AgentPolicy, language: Language) -> str:
    """Return the operator's name, in Japanese where it is declared and asked for."""
    return (policy.operator.name_ja if language == "ja" else None) or policy.operator.name


def _item(item: str, field: str, language: Language) -> str:
    known: Label | None = None
    if field == "purposes":
        known = PURPOSES[Purpose(item)]
    elif field == "honours":
        known = HONOURS[Honour(item)]
    return f"{in_language(known, language)} [{item}]" if known else item


def _values(value: Value, change: FieldChange, language: Language) -> tuple[Shown, ...]:
    words = wording(language)
    if value is None:
        return ()
    if isinstance(value, bool):
        return (Shown(text=words["yes" if value else "no"]),)
    if isinstance(value, int):
        text = format_unit(value, "second", locale=language)
        if value % _SECONDS_AN_HOUR == 0 and value:
            text += f" ({format_unit(value // _SECONDS_AN_HOUR, 'hour', locale=language)})"
        return (Shown(text=text),)
    if isinstance(value, tuple):
        marked = {*change.added, *change.removed}
        return tuple(Shown(text=_item(item, change.field, language), marked=item in marked) for item in value)
    return (Shown(text=value),)


def _mark(attention: Attention, language: Language) -> str:
    return "" if attention is Attention.NONE else wording(language)[f"attention_{attention.value}"]


def difference_view(change: FieldChange, language: Language) -> DifferenceView:
    """Return one difference in words."""
    return DifferenceView(
        label=in_language(change.label, language),
        mark=_mark(change.attention, language),
        before=_values(change.before, change, language),
        after=_values(change.after, change, language),
    )


def agent_view(policy: AgentPolicy, language: Language, today: date) -> AgentView:
    """Return what an agent declares, in words."""
    contact = policy.contact
    contacts = [Address(href=contact.info_page, text=contact.info_page)]
    if contact.url is not None and contact.url != contact.info_page:
        contacts.append(Address(href=contact.url, text=contact.url))
    if contact.email is not None:
        contacts.append(Address(href=f"mailto:{contact.email}", text=contact.email))
    return AgentView(
        token=policy.token,
        user_agent=policy.user_agent,
        version=policy.version,
        effective_from=policy.effective_from,
        upcoming=policy.effective_from > today,
        purposes=tuple(in_language(PURPOSES[purpose], language) for purpose in policy.purposes),
        operator=operator_name(policy, language),
        operator_url=policy.operator.url,
        contacts=tuple(contacts),
    )


def heading(entry: NoticeEntry, language: Language) -> str:
    """Return the entry's title."""
    words = wording(language)[f"heading_{entry.kind.value}"]
    return f"{entry.token}: {words.format_map({'from': entry.version_from, 'to': entry.version_to})}"


def _lead(entry: NoticeEntry, words: dict[str, str]) -> str:
    days = entry.lead_days
    return words[f"lead_{days}" if days <= 1 else "lead_more"].format(days=days)


def entry_view(entry: NoticeEntry, language: Language, today: date, anchors: dict[str, str]) -> EntryView:
    """Return an entry in words. `anchors` leads from a fragment's name to its entry's place on the page."""
    words = wording(language)
    changed = entry.kind is EntryKind.CHANGED
    return EntryView(
        id=entry.id,
        anchor=entry.anchor,
        heading=heading(entry, language),
        kind=words[f"kind_{entry.kind.value}"],
        attention=tuple(_mark(reason, language) for reason in entry.attention),
        published=entry.published,
        effective_from=entry.effective_from,
        upcoming=entry.effective_from > today,
        lead=_lead(entry, words) if entry.fragment else "",
        what=in_language(entry.what, language),
        why=in_language(entry.why, language) if entry.why else "",
        site_owners=in_language(entry.site_owners, language) if entry.site_owners else "",
        differences=None
        if entry.differences is None
        else tuple(difference_view(change, language) for change in entry.differences),
        not_kept=changed and entry.differences is None,
        json_name=entry.json_name,
        superseded=bool(entry.superseded_by),
        superseded_anchor=anchors.get(entry.superseded_by, ""),
        corrects=bool(entry.supersedes),
        sha256=entry.step.after.sha256 if entry.step.after else "",
    )
