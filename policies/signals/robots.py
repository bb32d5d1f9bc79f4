"""robots.txt: raw octets in, what the file says to one product token out.

Implements RFC 9309 (https://www.rfc-editor.org/rfc/rfc9309): groups and their merging (section 2.2.1),
other records that never interfere (2.2.4), lines that cannot be read and never void the rest (2.3.1.5),
and the limit (2.5). What a single line says is in `robots_lines.py`, what a path matches in
`robots_path.py`. Our own rules, each marked there or here:

* The group that names the token replaces `*`; a group is named by equality, without regard to case. What is
  no product token (`Foo Bar`, `AB42bot`) is named by no group, so that `*` applies; `as_written` compares
  such a name with the whole value, for those who look for other crawlers' names.
* Only Allow and Disallow lines (readable or not) end a list of User-agent lines, so that a Crawl-delay, a
  Content-Signal or an unknown line between two of them leaves one group. A User-agent line without a value
  begins a group that names nobody: Google's reader and Protego agree on it.
* A rule before any group says nothing (logged); so does one that begins with neither `/` nor, for Disallow
  only, `*`, and one that is an absolute URL.
* Of several Crawl-delay values of the groups that apply, the largest holds.

Never raises, whatever the octets; one pass in linear time; rules are compiled for the groups that are asked
for. It reads no clock and no network, and it does not know what asking for the file came to.
"""

from __future__ import annotations

from dataclasses import dataclass

from policies.signals.robots_agent import AgentRules, CompiledRules, CrawlDelay, RobotsAnswer, WrittenRule
from policies.signals.robots_groups import GroupReader, IgnoredLine
from policies.signals.robots_lines import SITEMAP_KEYS, agent_name, crawl_delay_seconds, is_token
from policies.signals.robots_octets import MAX_BYTES, cut_to_limit, readable_octets, shown

__all__ = [
    "MAX_BYTES",
    "AgentRules",
    "IgnoredLine",
    "RobotsAnswer",
    "RobotsRecord",
    "RobotsRules",
    "cut_to_limit",
    "parse_robots",
]

_TOKENS_LIMIT = 256
"""Tokens whose selection is remembered for one file; the callers' own tokens are few."""

_EVERYONE = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotsRecord:
    """A line with a field name that is neither User-agent, Allow nor Disallow, as it was written.

    `key` is in lower case, `value` without comment and outer blanks; `line` counts from 1; `group` is the
    index of the group that it stands in, None before the first group.
    """

    key: bytes
    value: bytes
    line: int
    raw: bytes
    group: int | None


class RobotsRules:
    """One parsed robots.txt.

    `problem` is not empty when the octets could not be read at all: the caller must then treat the file as
    unreachable, and until it does every answer is a refusal. `octets` is the single-octet text that was
    read, `truncated` says that the limit cut it; `ignored` holds the first ignored lines.
    """

    __slots__ = (
        "_by_name",
        "_compiled",
        "_groups",
        "_others",
        "_tokens",
        "ignored",
        "ignored_count",
        "octets",
        "problem",
        "truncated",
    )

    def __init__(self, *, octets: bytes, problem: str, truncated: bool) -> None:
        reader = GroupReader()
        unread = reader.read(octets)
        self.octets = octets
        self.problem = problem or unread
        self.truncated = truncated
        self.ignored = tuple(reader.ignored)
        self.ignored_count = reader.ignored_count
        self._groups = reader.groups
        self._others = reader.others
        self._by_name: dict[str, dict[int, tuple[bytes, int]]] | None = None
        self._tokens: dict[str, AgentRules] = {}
        self._compiled: dict[tuple[tuple[int, int], ...], CompiledRules] = {}

    @property
    def group_count(self) -> int:
        """The number of groups in the file, before merging."""
        return len(self._groups)

    @property
    def rule_count(self) -> int:
        """The number of readable Allow and Disallow lines that stand in a group."""
        return sum(len(group.rules) for group in self._groups)

    @property
    def agents(self) -> tuple[str, ...]:
        """Every User-agent value as written, in order."""
        return tuple(shown(value) for group in self._groups for value, _ in group.agents)

    def other_lines(self, *keys: str) -> list[tuple[bytes, bytes, int, bytes, int | None]]:
        """Return key, value, line, raw line and group of the other records with one of these keys, in order.

        What `records` gives, without making an object of each: a hostile file has tens of thousands.
        """
        wanted = {key.encode() for key in keys}
        return [entry for entry in self._others if entry[0] in wanted]

    def records(self, *keys: str) -> tuple[RobotsRecord, ...]:
        """Return the other records with one of these keys (lower case), or all of them, in order."""
        wanted = {key.encode() for key in keys}
        return tuple(
            RobotsRecord(key=key, value=value, line=line, raw=raw, group=group)
            for key, value, line, raw, group in self._others
            if not wanted or key in wanted
        )

    @property
    def other_keys(self) -> frozenset[bytes]:
        """The field names of the other records, in lower case."""
        return frozenset(entry[0] for entry in self._others)

    @property
    def named_tokens(self) -> frozenset[str]:
        """Every product token that a group names, in lower case; `*` among them."""
        return frozenset(self._names())

    @property
    def sitemaps(self) -> tuple[str, ...]:
        """The values of the Sitemap lines, wherever they stand; discovery only, never a permission."""
        return tuple(shown(entry[1]) for entry in self._others if entry[0] in SITEMAP_KEYS and entry[1])

    def groups_for(self, token: str) -> tuple[int, ...]:
        """Return the indexes of the groups that apply to a token: its own, else those of `*`."""
        return tuple(self._selected(token)) or tuple(self._selected(_EVERYONE))

    def for_agent(self, token: str) -> AgentRules:
        """Return what the file says to a product token (remembered for each token)."""
        known = self._tokens.get(token)
        if known is not None:
            return known
        if len(self._tokens) >= _TOKENS_LIMIT:
            self._tokens.clear()
        made = self._tokens[token] = self._made_for(token)
        return made

    def as_written(self, name: str) -> AgentRules | None:
        """Return what the groups say whose user-agent value is exactly `name` (case apart), or None."""
        wanted = name.encode("utf-8", "surrogatepass").lower()
        chosen = {
            index: (value, line)
            for index, group in enumerate(self._groups)
            for value, line in reversed(group.agents)
            if value.lower() == wanted
        }
        return self._made_of(name, chosen, f"group {name} applies") if chosen and not self.problem else None

    def judge(self, token: str, url: str) -> RobotsAnswer:
        """Return whether `token` may fetch an absolute http(s) URL, and which line says so."""
        return self.for_agent(token).judge(url)

    def _selected(self, token: str) -> dict[int, tuple[bytes, int]]:
        """Return the groups that name a token, each with the naming value and its line."""
        return self._names().get(token.lower(), {}) if token == _EVERYONE or is_token(token) else {}

    def _names(self) -> dict[str, dict[int, tuple[bytes, int]]]:
        """Return every name with its groups; made when it is first asked for."""
        if self._by_name is None:
            names: dict[str, dict[int, tuple[bytes, int]]] = {}
            for index, group in enumerate(self._groups):
                for value, line in group.agents:
                    name = agent_name(value)
                    if name:
                        names.setdefault(name, {}).setdefault(index, (value, line))
            self._by_name = names
        return self._by_name

    def _made_for(self, token: str) -> AgentRules:
        if self.problem:
            return self._refusing_all(token)
        chosen = self._selected(token)
        words = f"group {token} applies"
        if not chosen:
            chosen = self._selected(_EVERYONE)
            words = (
                f"no group for {token}: group * applies" if chosen else f"no group for {token} and none for *"
            )
        return self._made_of(token, chosen, words)

    def _made_of(self, token: str, chosen: dict[int, tuple[bytes, int]], words: str) -> AgentRules:
        # The naming lines are part of the key, because an answer cites the line that names its token.
        key = tuple((index, line) for index, (_, line) in chosen.items())
        named = {index: (shown(value), line) for index, (value, line) in chosen.items()}
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compiled[key] = CompiledRules(
                [
                    WrittenRule(
                        allow=allow,
                        value=value,
                        line=line,
                        raw=raw,
                        group=named[index][0],
                        group_line=named[index][1],
                    )
                    for index, _ in key
                    for allow, value, line, raw in self._groups[index].rules
                ]
            )
        return AgentRules(
            token=token,
            rules=compiled,
            groups=tuple(named.values()),
            crawl_delay=self._largest_delay(named),
            selection=words,
        )

    def _largest_delay(self, named: dict[int, tuple[str, int]]) -> CrawlDelay | None:
        largest, found = -1.0, None
        for index, names in named.items():
            for delay in self._groups[index].delays:
                seconds = crawl_delay_seconds(delay[0])
                if seconds is not None and seconds > largest:
                    largest, found = seconds, (delay, names)
        if found is None:
            return None
        (_, line, raw), (group, group_line) = found
        return CrawlDelay(seconds=largest, line=line, text=shown(raw), group=group, group_line=group_line)

    def _refusing_all(self, token: str) -> AgentRules:
        everything = WrittenRule(allow=False, value=b"/", line=0, raw=b"", group="", group_line=0)
        return AgentRules(
            token=token,
            rules=CompiledRules([everything]),
            groups=(),
            crawl_delay=None,
            selection=f"the file cannot be read ({self.problem})",
        )


def parse_robots(body: bytes) -> RobotsRules:
    """Return the rules of a robots.txt body, whatever its octets are.

    The body is cut to `MAX_BYTES` first. `problem` tells when the encoding cannot be read.
    """
    kept, truncated = cut_to_limit(body)
    octets, problem = readable_octets(kept)
    return RobotsRules(octets=octets, problem=problem, truncated=truncated)
