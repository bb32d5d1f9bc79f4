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

from itertools import chain, islice, starmap
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from policies.signals.robots_agent import AgentRules, CrawlDelay, RobotsAnswer
from policies.signals.robots_groups import IGNORED_LIMIT, GroupReader, IgnoredLine
from policies.signals.robots_lines import SITEMAP_KEYS, is_token
from policies.signals.robots_match import CompiledRules
from policies.signals.robots_octets import MAX_BYTES, cut_to_limit, readable_octets, shown

if TYPE_CHECKING:
    from policies.signals.robots_agent import Named
    from policies.signals.robots_groups import Record

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


class RobotsRecord(NamedTuple):
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
    read, `truncated` says that the limit cut it.
    """

    __slots__ = (
        "_compiled",
        "_reader",
        "_tokens",
        "octets",
        "problem",
        "truncated",
    )

    def __init__(self, *, octets: bytes, problem: str, truncated: bool) -> None:
        self._reader = GroupReader()
        unread = self._reader.read(octets)
        self.octets = b"" if unread else octets
        self.problem = problem or unread
        self.truncated = truncated
        self._tokens: dict[str, AgentRules] = {}
        self._compiled: dict[tuple[int, ...], CompiledRules] = {}

    @property
    def group_count(self) -> int:
        """The number of groups in the file, before merging."""
        return self._reader.group_count

    @property
    def rule_count(self) -> int:
        """The number of readable Allow and Disallow lines that stand in a group."""
        return sum(1 for group in range(self.group_count) for _ in self._reader.rules(group))

    @property
    def ignored(self) -> tuple[IgnoredLine, ...]:
        """The first lines that say nothing, with the reason."""
        return tuple(islice(self._reader.ignored(), IGNORED_LIMIT))

    @property
    def ignored_count(self) -> int:
        """The number of lines that say nothing; blank ones and comments are not counted."""
        return sum(1 for _ in self._reader.ignored())

    @property
    def agents(self) -> tuple[str, ...]:
        """Every User-agent value as written, in order."""
        return tuple(shown(value) for value, _, _ in self._reader.agents())

    def other_lines(self, *keys: str) -> list[Record]:
        """Return key, value, line, raw line and group of the other records with one of these keys, in order.

        What `records` gives, without making an object of each: a hostile file has tens of thousands.
        """
        return self._reader.others({key.encode() for key in keys})

    def records(self, *keys: str) -> tuple[RobotsRecord, ...]:
        """Return the other records with one of these keys (lower case), or all of them, in order."""
        wanted = {key.encode() for key in keys} or self.other_keys
        return tuple(starmap(RobotsRecord, self._reader.others(wanted)))

    @property
    def other_keys(self) -> frozenset[bytes]:
        """The field names of the other records, in lower case."""
        return frozenset(self._reader.by_key)

    def names(self, token: str) -> bool:
        """Return whether a group names a product token or `*`."""
        return token.lower() in self._reader.by_name

    def naming(self, token: str) -> Named:
        """Return the groups that name a product token, with the value and the line that name it."""
        return self._reader.by_name.get(token.lower(), {})

    def written_as(self, name: str) -> Named:
        """Return the groups whose user-agent value is exactly `name` (case apart)."""
        return self._reader.written_as(name)

    def compiled(self, groups: tuple[int, ...]) -> CompiledRules:
        """Return the rules of some groups by their indexes; made once for the same groups."""
        compiled = self._compiled.get(groups)
        if compiled is None:
            rules = chain.from_iterable(map(self._reader.rules, groups))
            compiled = self._compiled[groups] = CompiledRules(rules)
        return compiled

    @property
    def sitemaps(self) -> tuple[str, ...]:
        """The values of the Sitemap lines, wherever they stand; discovery only, never a permission."""
        return tuple(shown(entry[1]) for entry in self._reader.others(SITEMAP_KEYS) if entry[1])

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
        chosen = self.written_as(name)
        return self._made_of(name, chosen, f"group {name} applies") if chosen and not self.problem else None

    def judge(self, token: str, url: str) -> RobotsAnswer:
        """Return whether `token` may fetch an absolute http(s) URL, and which line says so."""
        return self.for_agent(token).judge(url)

    def _selected(self, token: str) -> Named:
        """Return the groups that name a token, each with the naming value and its line."""
        return self.naming(token) if token == _EVERYONE or is_token(token) else {}

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

    def _made_of(self, token: str, chosen: Named, words: str) -> AgentRules:
        return AgentRules(
            token=token,
            rules=self.compiled(tuple(chosen)),
            named=chosen,
            crawl_delay=self._largest_delay(chosen),
            selection=words,
        )

    def _largest_delay(self, chosen: Named) -> CrawlDelay | None:
        asked = (delay for group in chosen if (delay := self._reader.longest_delay(group)) is not None)
        longest = max(asked, key=itemgetter(0), default=None)
        if longest is None:
            return None
        seconds, (_, _, line, raw, group) = longest
        value, group_line = (b"", 0) if group is None else chosen[group]
        return CrawlDelay(
            seconds=seconds, line=line, text=shown(raw), group=shown(value), group_line=group_line
        )

    def _refusing_all(self, token: str) -> AgentRules:
        return AgentRules(
            token=token,
            rules=CompiledRules([(False, b"/", 0, b"", 0)]),
            named={},
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
