"""What one robots.txt says to one product token: its rules compiled, and the answer to a URL.

Implements the choice of the most specific rule (RFC 9309 section 2.2.2,
https://www.rfc-editor.org/rfc/rfc9309): the match with the most octets decides, Allow wins a tie, and a URL
that no rule matches is allowed. `/robots.txt` itself is always allowed (the same section).
Every answer is made once and returned again, so that callers may key on its identity.
Pure; raises nothing for any URL.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from policies.signals.robots_octets import shown
from policies.signals.robots_path import PathPattern, compile_pattern, judged_path, plain_prefix

MAX_SEARCH = 50_000_000
"""Octets searched for one URL at most: the length of its path times the patterns with a wildcard.

Above it (thousands of wildcards against a URL of tens of thousands of characters) the URL is refused, so that
a hostile file costs a tenth of a second and not many.
"""


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


class WrittenRule(NamedTuple):
    """One Allow or Disallow line of a group, not yet compiled.

    A named tuple, because a file has tens of thousands and this takes a third of a dataclass's time.
    """

    allow: bool
    value: bytes
    line: int
    raw: bytes
    group: str
    group_line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlDelay:
    """The Crawl-delay that holds for an agent: the largest of its groups, and where it was written."""

    seconds: float
    line: int
    text: str
    group: str
    group_line: int


class CompiledRules:
    """The rules of the groups that apply, ready for matching; shared by all tokens they apply to."""

    __slots__ = ("_lengths", "_literals", "_patterns")

    def __init__(self, written: list[WrittenRule]) -> None:
        literals: dict[str, WrittenRule] = {}
        patterns: dict[tuple[bytes, bool], tuple[int, bool, PathPattern, WrittenRule]] = {}
        for rule in written:
            allow, value = rule[0], rule[1]
            prefix = plain_prefix(value)
            if prefix is None:
                if (value, allow) in patterns:
                    continue  # said before; the first line is the one to cite
                pattern = compile_pattern(value)
                if not pattern.is_prefix:
                    patterns[value, allow] = (pattern.octets, allow, pattern, rule)
                    continue
                prefix = pattern.prefix
            known = literals.get(prefix)
            if known is None or (allow and not known.allow):
                literals[prefix] = rule
        self._literals = literals
        self._lengths = sorted({len(prefix) for prefix in literals}, reverse=True)
        # Most octets first, and Allow before Disallow: the first match is the one that decides.
        self._patterns = sorted(patterns.values(), key=lambda entry: (-entry[0], not entry[1]))

    def is_too_costly(self, path: str) -> bool:
        """Return whether deciding on a path could cost more than `MAX_SEARCH`."""
        return len(self._patterns) * len(path) > MAX_SEARCH

    def decide(self, path: str) -> WrittenRule | None:
        """Return the deciding rule for a path in normal form, or None."""
        best: WrittenRule | None = None
        octets = -1
        literals = self._literals
        for length in self._lengths:
            best = literals.get(path[:length])
            if best is not None and length <= len(path):
                octets = length
                break
            best = None
        for length, allow, pattern, rule in self._patterns:
            if length < octets or (length == octets and (not allow or (best is not None and best.allow))):
                break
            if pattern.matches(path):
                return rule
        return best


class AgentRules:
    """What one file says to one token. `groups` are the deciding user-agent values as written."""

    __slots__ = (
        "_answers",
        "_default",
        "_no_url",
        "_robots_txt",
        "_rules",
        "_selection",
        "_too_costly",
        "crawl_delay",
        "groups",
        "token",
    )

    def __init__(
        self,
        *,
        token: str,
        rules: CompiledRules,
        groups: tuple[tuple[str, int], ...],
        crawl_delay: CrawlDelay | None,
        selection: str,
    ) -> None:
        self.token = token
        self.groups = groups
        self.crawl_delay = crawl_delay
        self._rules = rules
        self._answers: dict[int, RobotsAnswer] = {}
        group, group_line = groups[0] if groups else ("", None)
        seconds = crawl_delay.seconds if crawl_delay else None

        def answer(*, allowed: bool, words: str) -> RobotsAnswer:
            return RobotsAnswer(
                allowed=allowed, group=group, group_line=group_line, crawl_delay=seconds, explanation=words
            )

        separator = "; " if groups else ""
        self._default = answer(
            allowed=True, words=f"{selection}{separator}no rule matches" if groups else selection
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
        if self._rules.is_too_costly(path):
            return self._too_costly
        rule = self._rules.decide(path)
        if rule is None:
            return self._default
        return self._answers.get(rule.line) or self._answer_of(rule)

    def _answer_of(self, rule: WrittenRule) -> RobotsAnswer:
        kind = RuleKind.ALLOW if rule.allow else RuleKind.DISALLOW
        pattern = shown(rule.value)
        made = RobotsAnswer(
            allowed=rule.allow,
            kind=kind,
            pattern=pattern,
            line=rule.line,
            text=shown(rule.raw),
            group=rule.group,
            group_line=rule.group_line,
            crawl_delay=self._default.crawl_delay,
            explanation=f"{self._selection}; {kind} {pattern} in line {rule.line} decides",
        )
        # A line holds one rule, so its number names it.
        self._answers[rule.line] = made
        return made
