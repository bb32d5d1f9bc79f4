"""What one robots.txt says to one product token: its rules compiled, and the answer to a URL.

Implements RFC 9309 section 2.2.2 (https://www.rfc-editor.org/rfc/rfc9309): the most specific rule decides
(`robots_match.py`), and a URL that no rule matches is allowed, as `/robots.txt` itself always is.
Every answer is made once and returned again, so that callers may key on its identity.
Pure; raises nothing for any URL.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from policies.signals.robots_match import MAX_SEARCH, TOO_COSTLY
from policies.signals.robots_octets import shown
from policies.signals.robots_path import judged_path

if TYPE_CHECKING:
    from policies.signals.robots_match import CompiledRules, Entry

__all__ = ["MAX_SEARCH", "AgentRules", "CrawlDelay", "Named", "RobotsAnswer", "RuleKind"]

Named = dict[int, tuple[bytes, int]]
"""The groups that apply, by their index in the file: the User-agent value that names them, and its line."""


class RuleKind(StrEnum):
    """What a rule says about the paths that it matches."""

    ALLOW = "allow"
    DISALLOW = "disallow"


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotsAnswer:
    """Whether one URL may be fetched, and what said so.

    `kind`, `pattern` (as written), `line` (from 1) and `text` (raw line) are those of the deciding rule, or
    None and "" when no rule decided; `group` is the user-agent line's value as written and `group_line` its
    line, or "" and None when no group applies; `crawl_delay` is in seconds; `explanation` is for people.
    """

    allowed: bool
    kind: RuleKind | None = None
    pattern: str | None = None
    line: int | None = None
    text: str = ""
    group: str = ""
    group_line: int | None = None
    crawl_delay: float | None = None
    explanation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlDelay:
    """The Crawl-delay that holds for an agent: the largest of its groups, and where it was written."""

    seconds: float
    line: int
    text: str
    group: str
    group_line: int


class AgentRules:
    """What one file says to one token."""

    __slots__ = (
        "_answers",
        "_default",
        "_named",
        "_no_url",
        "_robots_txt",
        "_rules",
        "_selection",
        "_too_costly",
        "crawl_delay",
        "token",
    )

    def __init__(
        self,
        *,
        token: str,
        rules: CompiledRules,
        named: Named,
        crawl_delay: CrawlDelay | None,
        selection: str,
    ) -> None:
        """Take the compiled rules of the groups in `named`; `selection` says in words why they apply."""
        self.token = token
        self.crawl_delay = crawl_delay
        self._rules = rules
        self._named = named
        self._answers: dict[int, RobotsAnswer] = {}
        value, group_line = next(iter(named.values())) if named else (b"", None)
        group, seconds = shown(value), crawl_delay.seconds if crawl_delay else None

        def answer(*, allowed: bool, words: str) -> RobotsAnswer:
            return RobotsAnswer(
                allowed=allowed, group=group, group_line=group_line, crawl_delay=seconds, explanation=words
            )

        separator = "; " if named else ""
        self._default = answer(
            allowed=True, words=f"{selection}{separator}no rule matches" if named else selection
        )
        self._robots_txt = answer(allowed=True, words="robots.txt itself is always allowed")
        self._no_url = answer(allowed=False, words="not an absolute http or https URL")
        self._too_costly = answer(
            allowed=False, words=f"{selection}{separator}too many wildcards for so long a URL"
        )
        self._selection = selection

    def judge(self, url: str) -> RobotsAnswer:
        """Return the answer for an absolute http(s) URL as it would be sent; any other URL is refused."""
        path = judged_path(url)
        if path is None:
            return self._no_url
        if path == "/robots.txt":
            return self._robots_txt
        rule = self._rules.decide(path)
        if rule is None:
            return self._default
        return self._answers.get(rule[2]) or self._answer_of(rule)

    def _answer_of(self, rule: Entry) -> RobotsAnswer:
        if rule is TOO_COSTLY:
            return self._too_costly
        allow, value, line, raw, index = rule
        kind = RuleKind.ALLOW if allow else RuleKind.DISALLOW
        pattern = shown(value)
        group, group_line = (b"", 0) if index is None else self._named.get(index, (b"", 0))
        made = RobotsAnswer(
            allowed=allow,
            kind=kind,
            pattern=pattern,
            line=line,
            text=shown(raw),
            group=shown(group),
            group_line=group_line,
            crawl_delay=self._default.crawl_delay,
            explanation=f"{self._selection}; {kind} {pattern} in line {line} decides",
        )
        # A line holds one rule, so its number names it.
        self._answers[line] = made
        return made
