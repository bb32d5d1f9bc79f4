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
from typing import TYPE_CHECKING

from policies.signals.group_lines import names_token
from policies.signals.robots_lines import is_token

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policies.signals.robots import RobotsRules
    from policies.signals.robots_agent import AgentRules, RobotsAnswer

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


class PeerBlocks:
    """What one robots.txt says to the known AI agents that it names.

    Agents of the same groups share one answer, so that a long list of names costs one look for a path.
    """

    __slots__ = ("_named",)

    def __init__(self, named: tuple[tuple[AgentRules, tuple[AiAgent, ...]], ...]) -> None:
        self._named = named

    def __bool__(self) -> bool:
        """Whether any known AI agent is named."""
        return bool(self._named)

    def refused(self, use: AiUse, url: str) -> tuple[RefusedPeer, ...]:
        """Return the agents of a use that are forbidden a URL when their class is shut out; else nothing."""
        inside: set[str] = set()
        outside: set[str] = set()
        refused: list[tuple[AiAgent, RobotsAnswer]] = []
        for rules, agents in self._named:
            of_use = [agent for agent in agents if agent.use is use]
            if not of_use:
                continue
            answer = rules.judge(url)
            if answer.allowed:
                inside.update(agent.operator for agent in of_use)
            else:
                outside.update(agent.operator for agent in of_use)
                refused += [(agent, answer) for agent in of_use]
        if len(outside) < LEAST_OPERATORS or len(inside - outside) > len(outside):
            return ()
        return tuple(
            RefusedPeer(agent=agent, line=answer.line, text=answer.text, group=answer.group)
            for agent, answer in refused[:CITED]
        )


def read_peer_blocks(rules: RobotsRules, token: str, agents: Iterable[AiAgent]) -> PeerBlocks:
    """Return what a robots.txt says to the AI agents that it names; nothing where it names `token` itself."""
    if rules.problem or names_token(rules, token):
        return PeerBlocks(())
    shared: dict[tuple[int, ...], tuple[AgentRules, list[AiAgent]]] = {}
    for agent in agents:
        if is_token(agent.token):
            if not rules.names(agent.token):
                continue
            key = rules.groups_for(agent.token)
            if key not in shared:
                shared[key] = rules.for_agent(agent.token), []
            shared[key][1].append(agent)
        # A name that is no product token is compared as written: `Kangaroo Bot`, `AI2Bot`.
        elif found := rules.as_written(agent.token):
            shared[-1 - len(shared),] = found, [agent]
    return PeerBlocks(tuple((found, tuple(listed)) for found, listed in shared.values()))
