"""The page of a disclosure in one language: masthead, alarm, and which sections stand in which order.

Pure: a `Disclosure` in, a `Page` out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.disclosure.answer_sections import code_section, missing_section
from exporters.disclosure.composer import Composer
from exporters.disclosure.conduct_sections import (
    claims_section,
    decisions_section,
    identity_section,
    summary_section,
)
from exporters.disclosure.evidence_sections import (
    content_section,
    domains_section,
    log_section,
    queries_section,
    robots_section,
)
from exporters.disclosure.lines import fact_lines, span
from exporters.disclosure.list_sections import lists_section
from exporters.disclosure.page import Alarm, Line, Page, visible
from exporters.disclosure.rights_sections import waivers_section
from exporters.disclosure.wording import load_wording

if TYPE_CHECKING:
    from exporters.disclosure.document import Disclosure


def _operator(c: Composer) -> tuple[tuple[str, str], ...]:
    """Return who stands in the masthead."""
    words, config = c.words, c.document.config
    japanese = words.language == "ja"
    lines = fact_lines(c.document.facts["operator"], words)
    rows = [(words("page.operator"), lines[0].text if lines else words("page.not_recorded"))]
    if config.provider is not None:
        name = config.provider.name_ja if japanese and config.provider.name_ja else config.provider.name
        rows.append((words("page.provider"), visible(name)))
    if config.models:
        names = [f"{model.name} {model.version or ''}".strip() for model in config.models]
        rows.append((words("page.models"), visible(words("format.list_separator").join(names))))
    return tuple(rows)


def _meta(c: Composer) -> tuple[str, ...]:
    """Return the lines under the heading."""
    words, document = c.words, c.document
    found = [words("page.generated", time=words.instant(document.generated_us))]
    period = document.facts["period_observed"].rows
    if period:
        found.append(words("page.period", period=span(words, period[0][0], period[0][1])))
    if document.scope.since_us is not None:
        found.append(words("page.scope_from", time=words.instant(document.scope.since_us)))
    if document.scope.until_us is not None:
        found.append(words("page.scope_to", time=words.instant(document.scope.until_us)))
    language = document.config.authoritative_language
    found.append(
        words("page.authoritative", language=words(f"page.language_{language}"))
        if language
        else words("page.authoritative_unknown")
    )
    return tuple(found)


def _alarm(c: Composer) -> Alarm | None:
    """Return what stands above everything when a claim is contradicted."""
    contradicted = c.document.contradicted
    if not contradicted:
        return None
    words = c.words
    return Alarm(
        title=words("claims.alarm", number=words.number(len(contradicted))),
        body=words("claims.alarm_body"),
        lines=tuple(words(f"claim.{claim.id}") for claim in contradicted),
    )


def write_page(document: Disclosure, language: str, *, other: str, digest: str) -> Page:
    """Return the disclosure in one language; `other` addresses the other one, `digest` is the JSON's."""
    words = load_wording(language)
    c = Composer(document, words)
    return Page(
        language=language,
        title=words("page.title"),
        heading=words("page.heading", agent=document.agent),
        brand=words("page.brand"),
        operator=_operator(c),
        meta=_meta(c),
        lead=words("page.lead"),
        skip=words("page.skip"),
        contents=words("page.contents"),
        other_language="en" if language == "ja" else "ja",
        other=other,
        other_label=words("page.other_language"),
        query_word=words("page.query", number=""),
        alarm=_alarm(c),
        sections=(
            summary_section(c),
            identity_section(c),
            decisions_section(c),
            claims_section(c),
            robots_section(c),
            lists_section(c),
            waivers_section(c),
            content_section(c),
            domains_section(c),
            code_section(c, "principle", document.code.status(language), document.items, english_too=False),
            code_section(c, "eu", document.eu.status(language), document.eu_items, english_too=True),
            log_section(c),
            missing_section(c),
            queries_section(c),
        ),
        footer=(
            Line(text=words("page.footer_digest")),
            Line(text=digest, mono=True),
            Line(
                text=words(
                    "page.footer_code",
                    code=f"{document.code.title(language)} ({document.code.code_version})",
                    eu=f"{document.eu.title(language)} ({document.eu.code_version})",
                )
            ),
            Line(text=words("page.footer_files")),
        ),
    )
