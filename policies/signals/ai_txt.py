"""ai.txt in Spawning's form: octets in, what the file says about training on each address out.

Implements the grammar of https://site.spawning.ai/spawning-ai-txt: that of robots.txt (RFC 9309), with
patterns that need not begin with a slash, so that `Disallow: *.jpg` names every file with that ending. The
pattern with the most octets decides. Other formats have the same name (a Markdown one, an Internet-Draft of
2026, pages of a site that answers everything with HTML): they are told apart by their shape and say nothing.
Our own readings:

* `*.jpg` and `.jpg` match the end of the path, whatever its case and whatever query follows; a Disallow
  matches as a path pattern as well;
* rules before any User-agent line are read as everybody's, and a tie goes to Disallow;
* a Disallow is read as leniently as one of robots.txt, an Allow only in its exact form.

Never raises; linear in the octets for each address, up to the bound of robots.txt (`MAX_SEARCH`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from policies.signals.robots_agent import MAX_SEARCH
from policies.signals.robots_lines import EXACT_FIELDS, Field, agent_name, read_lenient
from policies.signals.robots_octets import cut_to_limit, readable_octets, shown
from policies.signals.robots_path import PathPattern, compile_pattern, judged_path

MOST_RULES = 20_000
_EVERYONE = "*"
_EXTENSION = re.compile(rb"\*?(\.[A-Za-z0-9]{1,20}(?:\.[A-Za-z0-9]{1,20})?)\$?")
# Lines that robots.txt has beside rules: they count for its shape.
_OTHER_KEYS = frozenset((b"sitemap", b"crawl-delay", b"host", b"user-agent", b"license"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AiTxtAnswer:
    """Whether an address may be used for training, and the line that says so (None and "" when none does)."""

    allowed: bool
    line: int | None = None
    text: str = ""
    group: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    allow: bool
    line: int
    text: str
    group: str
    ending: str
    pattern: PathPattern

    def matches(self, path: str, bare: str) -> bool:
        """Return whether the rule matches a path in normal form; `bare` is it in lower case without query."""
        if self.ending and bare.endswith(self.ending):
            return True
        return not (self.ending and self.allow) and self.pattern.matches(path)


class AiTxt:
    """A read ai.txt. `problem` says in words what is odd about it, or why it holds no statement."""

    __slots__ = ("_groups", "_wildcards", "problem")

    def __init__(self, groups: dict[str, list[_Rule]], problem: str) -> None:
        for rules in groups.values():
            rules.sort(key=lambda rule: (-rule.pattern.octets, rule.allow))
        self._groups = groups
        self._wildcards = sum(rule.pattern.pieces is not None for rules in groups.values() for rule in rules)
        self.problem = problem

    @property
    def speaks(self) -> bool:
        """Whether the file holds a statement at all."""
        return bool(self._groups)

    def judge(self, token: str, url: str) -> AiTxtAnswer:
        """Return what the groups of a token, else those of `*`, say of an absolute http(s) URL."""
        path = judged_path(url)
        if path is None:
            return AiTxtAnswer(allowed=False, note="not an absolute http or https URL")
        rules = self._groups.get(token.lower())
        if rules is None:
            rules = self._groups.get(_EVERYONE, [])
        if self._wildcards * len(path) > MAX_SEARCH:
            return AiTxtAnswer(allowed=False, note="too many wildcards for so long a URL")
        bare = path.partition("?")[0].lower()
        for rule in rules:
            if rule.matches(path, bare):
                return AiTxtAnswer(allowed=rule.allow, line=rule.line, text=rule.text, group=rule.group)
        return AiTxtAnswer(allowed=True)


class _Reader:
    """One pass over the lines."""

    def __init__(self) -> None:
        self.groups: dict[str, list[_Rule]] = {}
        self.records = 0
        self.rules = 0
        self.strangers = 0
        self._names: list[tuple[str, str]] = []
        self._open = False

    def read(self, octets: bytes) -> None:
        for number, raw in enumerate(octets.splitlines(), 1):
            content = raw.partition(b"#")[0].strip()
            if not content:
                continue
            key, colon, value = content.partition(b":")
            kind = EXACT_FIELDS.get(key.rstrip().lower()) if colon else None
            if kind is None:
                kind, key, value = read_lenient(content)
            if kind is Field.USER_AGENT:
                self._agent(value)
            elif kind in (Field.DISALLOW, Field.ALLOW):
                self._rule(kind is Field.ALLOW, value.strip(), number, raw)
            elif kind is Field.OTHER and key in _OTHER_KEYS:
                self.records += 1
            else:
                self.strangers += 1

    def _agent(self, value: bytes) -> None:
        self.records += 1
        if not self._open:
            self._names = []
            self._open = True
        name = agent_name(value)
        if name:
            self._names.append((name, shown(value.strip())))
            self.groups.setdefault(name, [])

    def _rule(self, allow: bool, value: bytes, number: int, raw: bytes) -> None:
        self.records += 1
        self.rules += 1
        named = self._open or bool(self._names)
        self._open = False
        if not value or self.rules > MOST_RULES:
            return
        found = _EXTENSION.fullmatch(value)
        ending = found[1].decode("ascii").lower() if found else ""
        written = value if value.startswith((b"/", b"*")) else b"*" + value if ending else b"/" + value
        pattern = compile_pattern(written)
        for name, group in self._names if named else [(_EVERYONE, "")]:
            rule = _Rule(
                allow=allow, line=number, text=shown(raw), group=group, ending=ending, pattern=pattern
            )
            self.groups.setdefault(name, []).append(rule)


def parse_ai_txt(body: bytes) -> AiTxt:
    """Return what an ai.txt says, whatever its octets are.

    The shape of robots.txt: at least one Allow or Disallow line, and no more lines of another kind than of
    this one. Anything else is another format and says nothing.
    """
    octets, problem = readable_octets(cut_to_limit(body)[0])
    if problem:
        return AiTxt({}, problem)
    reader = _Reader()
    reader.read(octets)
    if not reader.rules or reader.strangers > reader.records:
        return AiTxt({}, "another format than Spawning's ai.txt: no statement")
    if reader.rules > MOST_RULES:
        everything = _Rule(allow=False, line=1, text="", group="", ending="", pattern=compile_pattern(b"/"))
        groups = {name: [everything] for name in (*reader.groups, _EVERYONE)}
        return AiTxt(groups, f"more than {MOST_RULES} rules: read as refusing everything")
    return AiTxt(reader.groups, "")
