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
from itertools import compress, count
from typing import TYPE_CHECKING

from policies.signals.robots_lines import Field, agent_name, read_bare, read_key
from policies.signals.robots_match import TOO_COSTLY, CompiledRules
from policies.signals.robots_octets import cut_to_limit, readable_octets, shown
from policies.signals.robots_path import compile_pattern, judged_path

if TYPE_CHECKING:
    from policies.signals.robots_lines import Key
    from policies.signals.robots_match import Entry

MOST_RULES = 5_000
MOST_NAMES = 5_000
#: Lines that are neither; behind so many nothing more is read.
MOST_STRANGERS = 20_000
_EVERYONE = "*"
_TOKENS = 64  # whose rules are remembered for one file; the callers' own tokens are few
_EXTENSION = re.compile(rb"\*?(\.[A-Za-z0-9]{1,20}(?:\.[A-Za-z0-9]{1,20})?)\$?")
_BEGINNINGS = frozenset((b"/", b"*"))
_COMMENT = ord("#")
# Lines that robots.txt has beside rules: they count for its shape.
_OTHER_KEYS = frozenset((b"sitemap", b"crawl-delay", b"host", b"license"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AiTxtAnswer:
    """Whether an address may be used for training, and the line that says so (None and "" when none does)."""

    allowed: bool
    line: int | None = None
    text: str = ""
    group: str = ""
    note: str = ""


@dataclass(slots=True)
class _Group:
    """One group: the tokens that it names, as they are spelt, and its rules: allow, value, line, raw line."""

    names: dict[str, bytes]
    rules: list[tuple[bool, bytes, int, bytes]]


def _rank(entry: Entry) -> tuple[int, bool, int]:
    """Return what decides between two rules that match: the octets, then a refusal, then the earlier line."""
    return compile_pattern(entry[1]).octets, entry[0], -entry[2]


class _Rules:
    """The rules of the groups that apply to one token; a refusal wins a tie."""

    def __init__(self, groups: list[_Group], name: str) -> None:
        self._groups = [group.names[name] for group in groups]
        # Rules that name files by their ending, in lower case.
        self._endings: dict[bytes, Entry] = {}
        patterns: list[Entry] = []
        for number, group in enumerate(groups):
            for allow, value, line, raw in group.rules:
                found = _EXTENSION.fullmatch(value)
                written = value if value[:1] in _BEGINNINGS else b"*" + value if found else b"/" + value
                entry = (not allow, written, line, raw, number)
                if found:
                    known = self._endings.get(found[1].lower())
                    if known is None or _rank(entry) > _rank(known):
                        self._endings[found[1].lower()] = entry
                if not (found and allow):
                    patterns.append(entry)
        self._patterns = CompiledRules(patterns)

    def judge(self, path: str) -> AiTxtAnswer:
        """Return what the rules say of a path in normal form."""
        pattern = self._patterns.decide(path)
        if pattern is TOO_COSTLY:
            return AiTxtAnswer(allowed=False, note="too many wildcards for so long a URL")
        last = path.partition("?")[0].lower().encode("ascii").rsplit(b".", 2)
        ends = (self._endings.get(b"." + b".".join(last[-count:])) for count in range(1, len(last)))
        entry = max((one for one in (pattern, *ends) if one is not None), key=_rank, default=None)
        if entry is None:
            return AiTxtAnswer(allowed=True)
        denies, _, line, raw, number = entry
        return AiTxtAnswer(
            allowed=not denies, line=line, text=shown(raw), group=shown(self._groups[number or 0])
        )


class AiTxt:
    """A read ai.txt. `problem` says in words what is odd about it, or why it holds no statement."""

    __slots__ = ("_groups", "_tokens", "problem")

    def __init__(self, groups: list[_Group], problem: str) -> None:
        self._groups = groups
        self._tokens: dict[str, _Rules] = {}
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
        rules = self._tokens.get(token)
        if rules is None:
            if len(self._tokens) >= _TOKENS:
                self._tokens.clear()
            rules = self._tokens[token] = self._rules_for(token.lower())
        return rules.judge(path)

    def _rules_for(self, name: str) -> _Rules:
        for wanted in (name, _EVERYONE):
            chosen = [group for group in self._groups if wanted in group.names]
            if chosen:
                return _Rules(chosen, wanted)
        return _Rules([], name)


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
        keys: dict[bytes, Key] = {}
        lines = octets.splitlines()
        for number, raw in zip(compress(count(1), lines), filter(None, lines), strict=True):
            written, colon, rest = raw.partition(b":")
            key = keys.get(written) if colon else None
            if key is None and colon and _COMMENT not in written:
                key = read_key(written)
                if not key.word:  # such a beginning is hardly met twice
                    keys[written] = key
            if key is None:
                content = written.partition(b"#")[0].strip()
                if not content:
                    continue
                field, value = read_bare(content)
            elif key.name in _OTHER_KEYS:
                field, value = Field.OTHER, b""
            else:
                rest = rest.partition(b"#")[0]
                field, value = (key.field, rest.strip()) if key.exact else key.read(rest)
            if field is Field.DISALLOW or field is Field.ALLOW:
                self._rule(field is Field.ALLOW, value.strip(), number, raw)
            elif field is Field.USER_AGENT:
                self._agent(value.strip())
            elif field is Field.OTHER and key is not None and key.name in _OTHER_KEYS:
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
        name = agent_name(value) if self.names <= MOST_NAMES else ""
        if name:
            self.groups[-1].names.setdefault(name, value)

    def _rule(self, allow: bool, value: bytes, number: int, raw: bytes) -> None:
        self.records += 1
        self.rules += 1
        self._open = False
        if not value or self.rules > MOST_RULES:
            return
        if not self.groups:
            self.groups.append(_Group({_EVERYONE: b""}, []))
        self.groups[-1].rules.append((allow, value, number, raw))


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
        words = f"more than {MOST_RULES} rules or {MOST_NAMES} agents: read as refusing everything"
        names = {name: b"" for group in reader.groups for name in group.names} | {_EVERYONE: b""}
        return AiTxt([_Group(names, [(False, b"/", 1, b"")])], words)
    return AiTxt(reader.groups, "")
