"""The published files of a change notice: HTML in two languages, an Atom feed, a JSON feed, JSON differences.

Atom after RFC 4287; JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/) with our members under `_sekisho`;
differences as canonical JSON (RFC 8785), format `sekisho.policy-diff/1`. The same entries and the same time
give the same octets. Writes nothing, reads its own templates only; the time is an argument.
"""

from __future__ import annotations

import json
import uuid
import xml.etree.ElementTree as ET
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import rfc8785
from babel.dates import format_date
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from exporters.notice.entries import NAMESPACE, EntryKind
from exporters.notice.view import (
    LANGUAGES,
    agent_view,
    entry_view,
    heading,
    in_language,
    operator_name,
    wording,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from exporters.notice.entries import NoticeEntry
    from exporters.notice.view import Language
    from policies.agents import AgentPolicy

ATOM = "http://www.w3.org/2005/Atom"
_XML = "{http://www.w3.org/XML/1998/namespace}"
_HERE = Path(__file__).parent


@cache
def _environment(language: Language) -> Environment:
    """Return the template environment of a language: autoescape always on, an unknown name is an error."""
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["day"] = lambda day: format_date(day, format="long", locale=language)
    return environment


def _style() -> Markup:
    """Return our own style sheets; `</style` cannot occur in them, and they hold no text of others."""
    sheets = (_HERE.parent / "style.css", _HERE / "notice.css")
    return Markup("\n").join(
        Markup(sheet.read_text(encoding="utf-8"))  # noqa: S704 - files of this package, not input
        for sheet in sheets
    )


def _moment(now: datetime) -> str:
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def _anchors(entries: Sequence[NoticeEntry]) -> dict[str, str]:
    return {entry.fragment: entry.anchor for entry in entries if entry.fragment}


def html_page(
    entries: Sequence[NoticeEntry], agents: Sequence[AgentPolicy], language: Language, now: datetime
) -> bytes:
    """Return the page of a language, complete in itself; `now` is UTC."""
    words = wording(language)
    operators = dict.fromkeys(operator_name(policy, language) for policy in agents)
    template = _environment(language).get_template("changes.html.j2")
    text = template.render(
        language=language,
        other="en" if language == "ja" else "ja",
        t=words,
        t_comma="、" if language == "ja" else ", ",
        style=_style(),
        operators=list(operators),
        agents=[agent_view(policy, language, now.date()) for policy in agents],
        entries=[entry_view(entry, language, now.date(), _anchors(entries)) for entry in entries],
        generated=words["generated"].format(time=_moment(now)),
    )
    return text.encode("utf-8")


def _fragment_html(entry: NoticeEntry, language: Language, today: date) -> str:
    template = _environment(language).get_template("entry.html.j2")
    view = entry_view(entry, language, today, {})
    return f'<div lang="{language}">\n{template.render(t=wording(language), entry=view)}\n</div>'


def _content(entry: NoticeEntry) -> str:
    """Return an entry as HTML, both languages; the same for ever, because an entry is never edited."""
    entry = replace(entry, superseded_by="")
    return "\n<hr>\n".join(_fragment_html(entry, language, entry.effective_from) for language in LANGUAGES)


def _title(entry: NoticeEntry) -> str:
    """Return one title for both languages."""
    japanese = heading(entry, "ja").removeprefix(f"{entry.token}: ")
    return f"{heading(entry, 'en')} / {japanese} ({entry.effective_from.isoformat()})"


def _summary(entry: NoticeEntry) -> str:
    return f"{in_language(entry.what, 'en')}\n{in_language(entry.what, 'ja')}"


def feed_id(agents: Sequence[AgentPolicy], base_url: str) -> str:
    """Return the feed's identifier: from the address where it is published, else from the operator's site."""
    place = base_url or (agents[0].operator.url if agents else "")
    return f"urn:uuid:{uuid.uuid5(NAMESPACE, f'feed/{place}')}"


def _updated(entries: Sequence[NoticeEntry], now: datetime) -> str:
    return _moment(max((entry.updated for entry in entries), default=now))


def _text(parent: ET.Element, name: str, text: str, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, f"{{{ATOM}}}{name}", attributes)
    element.text = text
    return element


def _link(parent: ET.Element, **attributes: str) -> None:
    ET.SubElement(parent, f"{{{ATOM}}}link", attributes)


def _author(parent: ET.Element, policy: AgentPolicy) -> None:
    author = ET.SubElement(parent, f"{{{ATOM}}}author")
    _text(author, "name", policy.operator.name)
    _text(author, "uri", policy.operator.url)
    if policy.contact.email is not None:
        _text(author, "email", policy.contact.email)


def _atom_entry(feed: ET.Element, entry: NoticeEntry, base_url: str) -> None:
    element = ET.SubElement(feed, f"{{{ATOM}}}entry")
    _text(element, "id", entry.id)
    _text(element, "title", _title(entry))
    _text(element, "published", _moment(entry.updated))
    _text(element, "updated", _moment(entry.updated))
    _author(element, entry.policy)
    for language in LANGUAGES:
        href = f"{base_url}changes.{language}.html#{entry.anchor}"
        _link(element, rel="alternate", type="text/html", hreflang=language, href=href)
    if entry.differences is not None:
        _link(element, rel="related", type="application/json", href=f"{base_url}{entry.json_name}")
    ET.SubElement(element, f"{{{ATOM}}}category", term=entry.kind.value)
    for reason in entry.attention:
        ET.SubElement(element, f"{{{ATOM}}}category", term=reason.value)
    _text(element, "summary", _summary(entry))
    _text(element, "content", _content(entry), type="html")


def atom_feed(
    entries: Sequence[NoticeEntry], agents: Sequence[AgentPolicy], base_url: str, now: datetime
) -> bytes:
    """Return the Atom feed (RFC 4287); `base_url` is empty or ends with a slash; `now` dates an empty one."""
    ET.register_namespace("", ATOM)
    feed = ET.Element(f"{{{ATOM}}}feed", {f"{_XML}lang": "en"})
    _text(feed, "id", feed_id(agents, base_url))
    _text(feed, "title", f"{wording('en')['title']} / {wording('ja')['title']}")
    _text(feed, "updated", _updated(entries, now))
    policies = list(agents) or [entry.policy for entry in entries]
    if policies:
        _author(feed, policies[0])
    if base_url:
        feed.set(f"{_XML}base", base_url)  # entries link to their differences relative to the page
        _link(feed, rel="self", type="application/atom+xml", href=f"{base_url}changes.atom")
    for language in LANGUAGES:
        href = f"{base_url}changes.{language}.html"
        _link(feed, rel="alternate", type="text/html", hreflang=language, href=href)
    _text(feed, "generator", "Sekisho")
    for entry in entries:
        _atom_entry(feed, entry, base_url)
    ET.indent(feed)
    body: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return body + b"\n"


def _differences(entry: NoticeEntry) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for change in entry.differences or ():
        row: dict[str, object] = {
            "field": change.field,
            "label": {"en": change.label.en, "ja": change.label.ja},
            "before": list(change.before) if isinstance(change.before, tuple) else change.before,
            "after": list(change.after) if isinstance(change.after, tuple) else change.after,
            "attention": change.attention.value,
        }
        if change.added or change.removed:
            row |= {"added": list(change.added), "removed": list(change.removed)}
        found.append(row)
    return found


def _members(entry: NoticeEntry) -> dict[str, object]:
    """Return what every machine form of an entry says."""
    return {
        "id": entry.id,
        "kind": entry.kind.value,
        "token": entry.token,
        "version_from": entry.version_from,
        "version_to": entry.version_to,
        "published": entry.published.isoformat(),
        "effective_from": entry.effective_from.isoformat(),
        "what": entry.what.model_dump(),
        "why": entry.why.model_dump() if entry.why else None,
        "site_owners": entry.site_owners.model_dump() if entry.site_owners else None,
        "sha256_from": entry.step.before.sha256 if entry.step.before else None,
        "sha256_to": entry.step.after.sha256 if entry.step.after else None,
        "attention": [reason.value for reason in entry.attention],
        "differences": None if entry.differences is None else _differences(entry),
        "superseded_by": entry.superseded_by or None,
        "supersedes": entry.supersedes or None,
    }


def json_diff(entry: NoticeEntry) -> bytes:
    """Return one step as canonical JSON, format `sekisho.policy-diff/1`."""
    members = {"schema": "sekisho.policy-diff/1"} | _members(replace(entry, superseded_by=""))
    return rfc8785.dumps(members)  # type: ignore[arg-type]


def json_feed(entries: Sequence[NoticeEntry], agents: Sequence[AgentPolicy], base_url: str) -> bytes:
    """Return the JSON Feed 1.1; everything that a program wants stands under `_sekisho`."""
    feed: dict[str, object] = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": f"{wording('en')['title']} / {wording('ja')['title']}",
    }
    if base_url:
        feed |= {"home_page_url": f"{base_url}changes.en.html", "feed_url": f"{base_url}changes.json"}
    feed["authors"] = [
        {"name": name, "url": url} for name, url in {(p.operator.name, p.operator.url): None for p in agents}
    ]
    feed["items"] = [
        {
            "id": entry.id,
            "url": f"{base_url}changes.en.html#{entry.anchor}",
            "title": _title(entry),
            "content_html": _content(entry),
            "summary": _summary(entry),
            "date_published": _moment(entry.updated),
            "tags": [entry.kind.value, *(reason.value for reason in entry.attention)],
            "_sekisho": _members(entry),
        }
        for entry in entries
    ]
    return (json.dumps(feed, ensure_ascii=False, indent=2) + "\n").encode("utf-8")


def notice_files(
    entries: Sequence[NoticeEntry], agents: Sequence[AgentPolicy], base_url: str, now: datetime
) -> dict[str, bytes]:
    """Return every file of the publication by name."""
    files = {f"changes.{language}.html": html_page(entries, agents, language, now) for language in LANGUAGES}
    files["changes.atom"] = atom_feed(entries, agents, base_url, now)
    files["changes.json"] = json_feed(entries, agents, base_url)
    for entry in entries:
        if entry.kind is EntryKind.CHANGED and entry.differences is not None:
            files[entry.json_name] = json_diff(entry)
    return files
