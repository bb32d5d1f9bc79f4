"""The labelled pages under tests/sites, and how often they are told apart.

A label says what a page means to a reader without an account (`reader`: open, closed, or partly), whether the
page itself declares a paywall (`declared`), and by which reason it is to be refused. `known_limit` says why a
closed page is kept all the same; it counts as missed. The pages are ours and imitate shapes of real ones.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from policies.facts import ResponseFacts
from policies.response_rules import judge_response_body, judge_response_head
from policies.vocabulary import Assessment

SITES = Path(__file__).resolve().parents[1] / "sites"
KEPT = "kept"
PAYWALLS = frozenset(("paywall_structured_data", "paywall_markup", "paywall_metered", "paywall_gate"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What `expected.toml` says of a page."""

    about: str
    reader: str
    reason: str
    declared: bool
    known_limit: str
    contains: str
    note: str
    line: int | None

    @property
    def kind(self) -> str:
        """Return what the figures call it: declared or gate, login, challenge, open."""
        if self.reader != "closed":
            return "open"
        if self.reason in PAYWALLS:
            return "declared paywall" if self.declared else "paywall by its gate"
        return "login" if self.reason == "login_required" else "challenge"


def cases() -> list[str]:
    """Return the names of all labelled pages."""
    return sorted(path.parent.name for path in SITES.glob("*/expected.toml"))


def label(case: str) -> Label:
    """Return the label of a page; where it does not say who may read it, its reason does."""
    values = tomllib.loads((SITES / case / "expected.toml").read_text(encoding="utf-8"))
    reason = values["reason"]
    return Label(
        about=values["about"],
        reader=values.get("reader", "open" if reason == KEPT else "closed"),
        reason=reason,
        declared=values.get("declared", reason in PAYWALLS and not case.startswith("gate-")),
        known_limit=values.get("known_limit", ""),
        contains=values.get("contains", ""),
        note=values.get("note", ""),
        line=values.get("line"),
    )


def response(case: str) -> ResponseFacts:
    """Return a page as its server would answer; `headers.toml` holds headers, and the status under `:status`."""
    headers = {"content-type": "text/html; charset=utf-8"}
    given = SITES / case / "headers.toml"
    if given.exists():
        headers.update(tomllib.loads(given.read_text(encoding="utf-8")))
    return ResponseFacts(
        url=f"https://{case}.example/article",
        status=int(headers.pop(":status", "200")),
        headers=tuple((name, value) for name, value in headers.items() if value),
        body=(SITES / case / "page.html").read_bytes(),
    )


@lru_cache(maxsize=512)
def judged(case: str) -> Assessment:
    """Return what the response rules say of a page, its head first."""
    answer = response(case)
    head = judge_response_head(answer.url, answer)
    return judge_response_body(answer) if head.passes else head


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Pages by (kind, refused): the confusion counts, and the names of what went wrong."""

    counts: Counter[tuple[str, bool]]
    missed: tuple[str, ...]
    wrong: tuple[str, ...]

    def of(self, kind: str) -> tuple[int, int]:
        """Return how many pages of a kind were refused and how many kept."""
        return self.counts[kind, True], self.counts[kind, False]

    @property
    def refused_rightly(self) -> int:
        """Closed pages that were refused."""
        return sum(count for (kind, refused), count in self.counts.items() if refused and kind != "open")

    @property
    def precision(self) -> float:
        """Of the pages that were refused, the share that is closed."""
        return self.refused_rightly / (self.refused_rightly + len(self.wrong))

    @property
    def recall(self) -> float:
        """Of the pages that are closed, the share that was refused."""
        return self.refused_rightly / (self.refused_rightly + len(self.missed))


def figures() -> Figures:
    """Judge every page and count; a page that is partly closed counts as open, for most of it may be kept."""
    counts: Counter[tuple[str, bool]] = Counter()
    missed, wrong = [], []
    for case in cases():
        kind, refused = label(case).kind, not judged(case).passes
        counts[kind, refused] += 1
        if kind == "open" and refused:
            wrong.append(case)
        elif kind != "open" and not refused:
            missed.append(case)
    return Figures(counts=counts, missed=tuple(missed), wrong=tuple(wrong))


MARK = '<script src="https://cdn.tinypass.com/api/tinypass.min.js"></script>'
_PROSE = (
    "<p>The council voted on Tuesday to widen the lane along the canal, after two years of argument.</p>" * 12
)


def gate_page(line: str, mark: str = MARK) -> ResponseFacts:
    """Return a page with an article, a vendor's mark and one more block."""
    html = f"<html><head>{mark}</head><body><article>{_PROSE}<div>{line}</div></article></body></html>"
    return ResponseFacts(
        url="https://gate.example/article",
        status=200,
        headers=(("content-type", "text/html; charset=utf-8"),),
        body=html.encode(),
    )
