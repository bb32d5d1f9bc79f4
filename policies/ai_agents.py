"""The product tokens of AI agents that sites address as a class: the data file, loaded and checked.

The file is `policies/signals/ai_agents.toml`; what it is for stands there. Reading it is the one impure thing
here, so that signals and rules stay pure: they get the agents as an argument.
"""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib import resources

from blocklists.errors import ExitCode, SekishoError
from policies.signals.peer_blocks import AiAgent, AiUse

FORMAT = "sekisho.ai-agents/1"
_FILE = "ai_agents.toml"


class AiAgentsError(SekishoError):
    """The list of AI agents cannot be read; without it a site's refusal could be missed."""

    exit_code = ExitCode.REFUSED


def parse_ai_agents(text: str) -> tuple[AiAgent, ...]:
    """Return the agents of a list in its TOML form; AiAgentsError when it is not one."""
    try:
        document = tomllib.loads(text)
        if document["schema"] != FORMAT:
            raise AiAgentsError(
                f"{_FILE}: schema {document['schema']!r} is unknown; this version reads {FORMAT}"
            )
        agents = tuple(
            AiAgent(token=str(row["token"]), operator=str(row["operator"]), use=AiUse(row["use"]))
            for row in document["agent"]
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise AiAgentsError(
            f"{_FILE} cannot be read ({error!r}); install the package again or correct the file"
        ) from error
    tokens = [agent.token.lower() for agent in agents]
    repeated = {token for token in tokens if tokens.count(token) > 1}
    if repeated or not agents:
        what = f"lists {min(repeated)!r} twice" if repeated else "lists no agent"
        raise AiAgentsError(f"{_FILE} {what}; each agent stands there once")
    return agents


@lru_cache(maxsize=1)
def load_ai_agents() -> tuple[AiAgent, ...]:
    """Return the agents that this version ships."""
    try:
        text = resources.files("policies.signals").joinpath(_FILE).read_text(encoding="utf-8")
    except OSError as error:
        raise AiAgentsError(f"{_FILE} is missing ({error}); install the package again") from error
    return parse_ai_agents(text)
