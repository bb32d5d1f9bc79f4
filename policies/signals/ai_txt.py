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
from dataclasses import dataclass, replace

from policies.signals.robots_agent import MAX_SEARCH
from policies.signals.robots_lines import EXACT_FIELDS, Field, agent_name, read_lenient
from policies.signals.robots_octets import cut_to_limit, readable_octets, shown
from policies.signals.robots_path import PathPattern, compile_pattern, judged_path

MOST_RULES = 5_000
MOST_NAMES = 5_000
#: Lines that are neither; behind so many nothing more is read.
MOST_STRANGERS = 20_000
_EVERYONE = "*"
_TOKENS = 64  # whose rules are remembered for one file; the callers' own tokens are few
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


@dataclass(slots=True)
class _Group:
    """One group while it is read: the tokens that it names with their spelling, and its rules."""

    names: dict[str, str]
    rules: list[_Rule]


class AiTxt:
    """A read ai.txt. `problem` says in words what is odd about it, or why it holds no statement."""

    __slots__ = ("_groups", "_tokens", "problem")

    def __init__(self, groups: list[_Group], problem: str) -> None:
        self._groups = groups
        self._tokens: dict[str, tuple[list[_Rule], int]] = {}
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
        rules, wildcards = self._rules_for(token)
        if wildcards * len(path) > MAX_SEARCH:
            return AiTxtAnswer(allowed=False, note="too many wildcards for so long a URL")
        bare = path.partition("?")[0].lower()
        for rule in rules:
            if rule.matches(path, bare):
                return AiTxtAnswer(allowed=rule.allow, line=rule.line, text=rule.text, group=rule.group)
        return AiTxtAnswer(allowed=True)

    def _rules_for(self, token: str) -> tuple[list[_Rule], int]:
        """Return the rules of a token in the order in which they decide, and how many have a wildcard."""
        known = self._tokens.get(token)
        if known is not None:
            return known
        name = token.lower()
        chosen = [group for group in self._groups if name in group.names]
        if not chosen:
            name = _EVERYONE
            chosen = [group for group in self._groups if name in group.names]
        rules = [replace(rule, group=group.names[name]) for group in chosen for rule in group.rules]
        rules.sort(key=lambda rule: (-rule.pattern.octets, rule.allow))
        wildcards = sum(rule.pattern.pieces is not None for rule in rules)
        if len(self._tokens) >= _TOKENS:
            self._tokens.clear()
        made = self._tokens[token] = (rules, wildcards)
        return made


class _Reader:
    """One pass over the lines."""

    def __init__(self) -> None:
        self.groups: list[_Group] = []
        self.records = 0
        self.rules = 0
        self.names = 0
        self.strangers = 0
        self._open = False

    def read(self, octets: bytes) -> None:
        """Read every line; what is beyond the bounds is counted and not kept."""
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
                if self.strangers > MOST_STRANGERS:
                    return

    def _agent(self, value: bytes) -> None:
        self.records += 1
        self.names += 1
        if not self._open:
            self.groups.append(_Group({}, []))
            self._open = True
        name = agent_name(value)
        if name and self.names <= MOST_NAMES:
            self.groups[-1].names.setdefault(name, shown(value.strip()))

    def _rule(self, allow: bool, value: bytes, number: int, raw: bytes) -> None:
        self.records += 1
        self.rules += 1
        self._open = False
        if not value or self.rules > MOST_RULES:
            return
        if not self.groups:
            self.groups.append(_Group({_EVERYONE: ""}, []))
        found = _EXTENSION.fullmatch(value)
        ending = found[1].decode("ascii").lower() if found else ""
        written = value if value.startswith((b"/", b"*")) else b"*" + value if ending else b"/" + value
        pattern = compile_pattern(written)
        self.groups[-1].rules.append(
            _Rule(allow=allow, line=number, text=shown(raw), group="", ending=ending, pattern=pattern)
        )


def parse_ai_txt(body: bytes) -> AiTxt:
    """Return what an ai.txt says, whatever its octets are.

    The shape of robots.txt: at least one Allow or Disallow line, and no more lines of another kind than of
    this one. Anything else is another format and says nothing. One with more than `MOST_RULES` rules or
    `MOST_NAMES` User-agent lines is read as refusing everything.
    """
    octets, problem = readable_octets(cut_to_limit(body)[0])
    if problem:
        return AiTxt([], problem)
    reader = _Reader()
    reader.read(octets)
    if not reader.rules or reader.strangers > reader.records:
        return AiTxt([], "another format than Spawning's ai.txt: no statement")
    if reader.rules > MOST_RULES or reader.names > MOST_NAMES:
        everything = _Rule(allow=False, line=1, text="", group="", ending="", pattern=compile_pattern(b"/"))
        words = f"more than {MOST_RULES} rules or {MOST_NAMES} agents: read as refusing everything"
        names = {name: "" for group in reader.groups for name in group.names} | {_EVERYONE: ""}
        return AiTxt([_Group(names, [everything])], words)
    return AiTxt(reader.groups, "")
