"""Rule `robots_meta`: what `X-Robots-Tag` headers and robots meta elements allow to be done with a response.

Implements https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag and the AI directives
of DeviantArt and Spawning through rows 14 to 17a of `policies/precedence.py`: the headers when the head of a
response is judged, the elements when its body is. Restrictions for everybody and for our own token add up;
nothing that permits is looked for. `noimageai` leaves a page's text alone and refuses an image. `nofollow` is
shown and refuses nothing here: `what_forbids_links` says whether the links of a page may be queued.
Pure: the time is an argument.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from policies.precedence import Row
from policies.rules.judged_rows import Finding, judge_findings, nothing_found
from policies.signals.meta_robots import read_meta_robots
from policies.signals.robots_directives import (
    NOAI,
    NOARCHIVE,
    NOFOLLOW,
    NOIMAGEAI,
    NOIMAGEINDEX,
    NOINDEX,
    NOSNIPPET,
    UNAVAILABLE_AFTER,
)
from policies.signals.x_robots import DRAFT_FIELD, FIELD, parse_x_robots
from policies.vocabulary import Action, Evidence, Reason, Verdict

if TYPE_CHECKING:
    from policies.facts import ResponseFacts
    from policies.rules.judged_rows import Intent
    from policies.signals.page_opened import Page
    from policies.signals.statement import Statement

HEADER_RULE = "x_robots_tag"
PAGE_RULE = "robots_meta"

_FIELDS = frozenset((FIELD, DRAFT_FIELD))
_ROWS = {
    **dict.fromkeys((*NOINDEX, UNAVAILABLE_AFTER), Row.NOINDEX),
    **dict.fromkeys(NOARCHIVE, Row.NOARCHIVE),
    **dict.fromkeys(NOSNIPPET, Row.NOSNIPPET),
    NOAI: Row.NOAI,
    NOIMAGEAI: Row.NOIMAGEAI,
}
# What speaks of images speaks of the whole response when it is one.
_IMAGE_ROWS = {NOIMAGEAI: Row.NOAI, NOIMAGEINDEX: Row.NOINDEX}
_FORBIDS_LINKS = frozenset((NOFOLLOW, "none"))
_AI_ROWS = frozenset((Row.NOAI, Row.NOIMAGEAI))


def row_of(statement: Statement, *, image: bool = False) -> Row | None:
    """Return the row of a statement, or None for what restricts nothing; `image`: the response is one."""
    if not statement.denies:
        return None
    return (image and _IMAGE_ROWS.get(statement.use)) or _ROWS.get(statement.use)


def _finding(row: Row | None, otherwise: Reason, evidence: Evidence) -> Finding:
    return Finding(row=row, reason=Reason.NOAI if row in _AI_ROWS else otherwise, evidence=evidence)


def _note(statement: Statement) -> str:
    return "; ".join(part for part in (statement.use, statement.remarks) if part)


def judge_robots_header(response: ResponseFacts, intent: Intent, *, now_us: int) -> Verdict:
    """Return the verdict on a response by its `X-Robots-Tag` headers, whatever its media type."""
    if not any(name in _FIELDS for name, _ in response.headers):
        return nothing_found(HEADER_RULE, Action.KEEP)
    image = response.media_type.startswith("image/")
    findings = [
        _finding(
            row_of(statement, image=image),
            Reason.X_ROBOTS_TAG,
            Evidence(source="response header", text=statement.text, note=_note(statement)),
        )
        for statement in parse_x_robots(response.headers, intent.token, now_us=now_us)
    ]
    return judge_findings(HEADER_RULE, findings, intent, passed=Action.KEEP)


def judge_robots_page(response: ResponseFacts, page: Page | None, intent: Intent, *, now_us: int) -> Verdict:
    """Return the verdict on a page by its robots meta elements; `page` is `open_page(response, token)`."""
    statements = read_meta_robots(page, intent.token, now_us=now_us) if page is not None else ()
    if not statements:
        return nothing_found(PAGE_RULE, Action.KEEP)
    sha256 = hashlib.sha256(response.body).hexdigest()
    findings = [
        _finding(
            row_of(statement),
            Reason.ROBOTS_META,
            Evidence(
                source=response.url,
                line=statement.line,
                text=statement.text,
                sha256=sha256,
                note=_note(statement),
            ),
        )
        for statement in statements
    ]
    return judge_findings(PAGE_RULE, findings, intent, passed=Action.KEEP)


def what_forbids_links(
    response: ResponseFacts, page: Page | None, token: str, *, now_us: int
) -> Evidence | None:
    """Return the `nofollow` or `none` under which no link of a response may be queued, or None.

    `page` is `open_page(response, token)`; the time (UTC, microseconds) is asked of other directives only.
    """
    statements: list[Statement] = []
    if any(name in _FIELDS for name, _ in response.headers):
        statements += parse_x_robots(response.headers, token, now_us=now_us)
    if page is not None:
        statements += read_meta_robots(page, token, now_us=now_us)
    for statement in statements:
        if statement.denies and statement.use in _FORBIDS_LINKS:
            return Evidence(
                source="response header" if statement.line is None else response.url,
                line=statement.line,
                text=statement.text,
            )
    return None
