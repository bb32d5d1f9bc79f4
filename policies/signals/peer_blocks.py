"""Which AI agents a robots.txt names, and whether it shuts their class out of a path.

A site that forbids a path to GPTBot, CCBot, Google-Extended and the like, and never heard of ours, has said
what it thinks of the use. Our own reading; RFC 9309 (https://www.rfc-editor.org/rfc/rfc9309) has no classes.
A class counts as shut out where at least `LEAST_OPERATORS` operators of its agents are forbidden the path by
groups that name them, and no more of them are named and let in. A group that names our own agent ends the
matter: the site has decided about it. The known agents arrive as an argument.
Pure; asks each group once for a path; never raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from policies.signals.group_lines import names_token
from policies.signals.robots_lines import is_token
from policies.signals.robots_match import TOO_COSTLY
from policies.signals.robots_octets import shown
from policies.signals.robots_path import judged_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policies.signals.robots import RobotsRules
    from policies.signals.robots_agent import Named
    from policies.signals.robots_match import CompiledRules, Entry

LEAST_OPERATORS = 2
"""Operators whose agents must be forbidden a path before the class is."""

CITED = 8
"""Refused agents that an answer names."""


class AiUse(StrEnum):
    """What an AI agent collects for."""

    TRAINING = "training"
    ANSWERS = "answers"


@dataclass(frozen=True, slots=True, kw_only=True)
class AiAgent:
    """One known AI agent: its product token, who runs it, what it collects for."""

    token: str
    operator: str
    use: AiUse


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedPeer:
    """One agent of a class that is shut out, with the line that does it."""

    agent: AiAgent
    line: int | None
    text: str
    group: str


class _Peer(NamedTuple):
    """A named agent: the groups that name it, and the classes of rules that they fall into."""

    agent: AiAgent
    named: Named
    classes: tuple[int, ...]


class PeerBlocks:
    """What one robots.txt says to the known AI agents that it names.

    Groups that name the same agents are one class: its rules are compiled once and asked once for a path,
    however many agents share it, so that a file costs what it is long and not that times its names.
    """

    __slots__ = ("_classes", "_peers")

    def __init__(self, peers: tuple[_Peer, ...], classes: tuple[CompiledRules, ...]) -> None:
        self._peers = peers
        self._classes = classes

    def __bool__(self) -> bool:
        """Whether any known AI agent is named."""
        return bool(self._peers)

    def refused(self, use: AiUse, url: str) -> tuple[RefusedPeer, ...]:
        """Return the agents of a use that are forbidden a URL when their class is shut out; else nothing."""
        path = judged_path(url)
        inside: set[str] = set()
        outside: set[str] = set()
        refused: list[tuple[_Peer, Entry]] = []
        for peer in self._peers:
            if peer.agent.use is not use:
                continue
            entry = TOO_COSTLY if path is None else self._decide(peer, path)
            if entry is None or entry[0]:
                inside.add(peer.agent.operator)
            else:
                outside.add(peer.agent.operator)
                refused.append((peer, entry))
        if len(outside) < LEAST_OPERATORS or len(inside - outside) > len(outside):
            return ()
        return tuple(_refused(peer, entry) for peer, entry in refused[:CITED])

    def _decide(self, peer: _Peer, path: str) -> Entry | None:
        """Return the rule that decides for an agent, as it would if its groups were compiled together."""
        if path == "/robots.txt":
            return None
        best, highest = None, -1
        for number in peer.classes:
            entry, rank = self._classes[number].decide_with_rank(path)
            if entry is not None and (
                rank > highest or (rank == highest and best is not None and entry[2] < best[2])
            ):
                best, highest = entry, rank
        return best


def _refused(peer: _Peer, entry: Entry) -> RefusedPeer:
    if entry is TOO_COSTLY:
        return RefusedPeer(
            agent=peer.agent, line=None, text="", group=shown(next(iter(peer.named.values()))[0])
        )
    _, _, line, raw, group = entry
    name = b"" if group is None else peer.named[group][0]
    return RefusedPeer(agent=peer.agent, line=line, text=shown(raw), group=shown(name))


def read_peer_blocks(rules: RobotsRules, token: str, agents: Iterable[AiAgent]) -> PeerBlocks:
    """Return what a robots.txt says to the AI agents that it names; nothing where it names `token` itself."""
    if rules.problem or names_token(rules, token):
        return PeerBlocks((), ())
    named: list[tuple[AiAgent, Named]] = []
    naming: dict[int, list[int]] = {}
    for agent in agents:
        # A name that is no product token is compared as written: `Kangaroo Bot`, `AI2Bot`.
        groups = rules.naming(agent.token) if is_token(agent.token) else rules.written_as(agent.token)
        if groups:
            for group in groups:
                naming.setdefault(group, []).append(len(named))
            named.append((agent, groups))
    classes: dict[tuple[int, ...], list[int]] = {}
    for group in sorted(naming):
        classes.setdefault(tuple(naming[group]), []).append(group)
    of_agent: dict[int, list[int]] = {}
    for number, members in enumerate(classes):
        for index in members:
            of_agent.setdefault(index, []).append(number)
    return PeerBlocks(
        tuple(_Peer(agent, groups, tuple(of_agent[index])) for index, (agent, groups) in enumerate(named)),
        tuple(rules.compiled(tuple(groups)) for groups in classes.values()),
    )
