"""Rule `peer_blocks`: what a site that shuts out AI agents, and does not name ours, says to ours.

Row 3 of `policies/precedence.py`: refused by default policy for the purposes that the shut-out agents collect
for, and for no other; the switch is `honour_peer_ai_blocks`. Which agents are known is data, and arrives as
an argument.
Pure: no clock, no files, no network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.precedence import Row
from policies.rules.judged_rows import Finding, Intent, judge_findings, nothing_found
from policies.signals.peer_blocks import AiUse, read_peer_blocks
from policies.vocabulary import Action, Purpose, Reason, Verdict

if TYPE_CHECKING:
    from policies.rules.robots import RobotsReadings
    from policies.signals.peer_blocks import AiAgent, RefusedPeer

RULE = "peer_blocks"

_USES = {Purpose.AI_TRAINING: AiUse.TRAINING, Purpose.AI_INPUT: AiUse.ANSWERS}


def judge_peer_blocks(
    readings: RobotsReadings | None, url: str, intent: Intent, agents: tuple[AiAgent, ...]
) -> Verdict:
    """Return the verdict on a URL that robots.txt lets this agent fetch; `agents` are those known."""
    uses = [(purpose, use) for purpose, use in _USES.items() if purpose in intent.purposes]
    if readings is None or not uses:
        return nothing_found(RULE, Action.FETCH)
    blocks = readings.kept(
        (RULE, intent.token, id(agents)),
        lambda: (read_peer_blocks(readings.rules, intent.token, agents), agents),
    )[0]
    if not blocks:
        return nothing_found(RULE, Action.FETCH)
    refused = [(purpose, peers) for purpose, use in uses if (peers := blocks.refused(use, url))]
    if not refused:
        return nothing_found(RULE, Action.FETCH)
    key = tuple((purpose, peer.agent.token, peer.line) for purpose, peers in refused for peer in peers)
    return readings.kept((RULE, intent, key), lambda: _verdict(readings, refused, intent))


def _verdict(
    readings: RobotsReadings, refused: list[tuple[Purpose, tuple[RefusedPeer, ...]]], intent: Intent
) -> Verdict:
    concerned = Intent(
        token=intent.token,
        purposes=frozenset(purpose for purpose, _ in refused),
        switched=intent.switched,
    )
    findings = [
        Finding(
            row=Row.PEER_AI_BLOCKS,
            reason=Reason.AI_AGENTS_BLOCKED,
            evidence=readings.evidence(
                line=peer.line,
                text=peer.text,
                group=peer.group,
                note=f"forbids {peer.agent.token} ({peer.agent.operator}), and names no {intent.token}",
            ),
        )
        for _, peers in refused
        for peer in peers
    ]
    return judge_findings(RULE, findings, concerned, passed=Action.FETCH)
