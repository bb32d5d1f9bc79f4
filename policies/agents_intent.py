"""What a declared agent wants of content, as rules ask it: its token, its purposes, its switches.

One place, so that the crawl, `sekisho explain` and `sekisho reapply` cannot judge one agent in two ways.
Pure: imports no file, no clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.precedence import switched_by
from policies.rules.judged_rows import Intent

if TYPE_CHECKING:
    from collections.abc import Collection

    from policies.agents_model import AgentPolicy
    from policies.vocabulary import Purpose


def intent_of(policy: AgentPolicy, purposes: Collection[Purpose] = ()) -> Intent:
    """Return the intent of an agent; `purposes` stand in for the declared ones when there are any."""
    signals = policy.signals
    return Intent(
        token=policy.token,
        purposes=frozenset(purposes or policy.purposes),
        switched=switched_by(signals.values(), research_org=signals.research_org),
    )
