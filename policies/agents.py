"""Declared agents: the one place from which an agent policy is loaded.

A policies folder holds `agents/<token in lower case>.toml`, one file an agent, `agents/history/` with earlier
versions, and `changes/` with the reason of every change. The file name follows from the token, so that a
token leads to one file and two files cannot declare the same token.
Reads files; imports no Scrapy and no clock. What the keys mean is in `agents_model`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.agents_findings import (
    Finding,
    Severity,
    address_in_user_agent,
    agent_findings,
    has_placeholder_contact,
)
from policies.agents_lines import locate, nearest_line
from policies.agents_model import (
    FORMAT,
    TOKEN_PATTERN,
    AgentPolicy,
    Bilingual,
    Contact,
    Honour,
    Operator,
    Period,
    Robots,
    ThirdPartyCrawler,
)
from policies.agents_problems import AgentError, Problem, parse_table

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

__all__ = [
    "FORMAT",
    "AgentError",
    "AgentPolicy",
    "Bilingual",
    "Contact",
    "Finding",
    "Honour",
    "LoadedAgent",
    "Operator",
    "Period",
    "Problem",
    "Robots",
    "Severity",
    "ThirdPartyCrawler",
    "address_in_user_agent",
    "agent_files",
    "agent_findings",
    "agent_schema",
    "agents_folder",
    "has_placeholder_contact",
    "load_agent",
    "parse_agent",
    "read_agent",
    "require_ready",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedAgent:
    """An agent policy with the file that declared it. `sha256` is the hex digest of the file's octets."""

    policy: AgentPolicy
    path: Path
    raw: bytes
    sha256: str

    def place(self, field: str) -> str:
        """Return `file:line` of a dotted key, or the file alone when the key stands nowhere."""
        places = locate(self.raw.decode("utf-8"))
        line = nearest_line(
            places, tuple(int(part) - 1 if part.isdigit() else part for part in field.split("."))
        )
        return f"{self.path}:{line}" if line else str(self.path)


def _refuse(source: str, message: str) -> AgentError:
    return AgentError(source, [Problem(line=None, field="", message=message)])


def parse_agent(raw: bytes, source: str) -> AgentPolicy:
    """Return the policy that an agent file declares; `source` names it in AgentError."""
    return parse_table(raw, source, AgentPolicy)


def agent_schema() -> dict[str, object]:
    """Return the JSON Schema (draft 2020-12) of an agent file, as published in `policies/agents/`.

    Rules across keys (the User-Agent contains the token, a period has one end) are checked by `parse_agent`.
    """
    schema: dict[str, object] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "Generated from policies/agents_model.py; TOML dates count as strings of format date.",
    }
    return schema | AgentPolicy.model_json_schema(by_alias=True)


def agents_folder(folder: Path) -> Path:
    """Return where the agent files of a policies folder lie; the `agents` folder itself may be named too."""
    inner = folder / "agents"
    return folder if not inner.is_dir() and any(folder.glob("*.toml")) else inner


def agent_files(folder: Path) -> tuple[Path, ...]:
    """Return the agent files of a policies folder, by name; AgentError when there is no folder."""
    agents = agents_folder(folder)
    try:
        return tuple(sorted(path for path in agents.iterdir() if path.suffix == ".toml" and path.is_file()))
    except OSError as error:
        message = f"cannot be read ({error.strerror}); create an agent file with: sekisho check --init"
        raise _refuse(str(agents), message) from None


def read_agent(path: Path) -> LoadedAgent:
    """Read one agent file, wherever it lies; AgentError when it cannot be read or is invalid."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise _refuse(str(path), f"cannot be read: {error.strerror}") from None
    return LoadedAgent(
        policy=parse_agent(raw, str(path)), path=path, raw=raw, sha256=hashlib.sha256(raw).hexdigest()
    )


def _choose(files: tuple[Path, ...], agents: Path, token: str | None) -> Path:
    stems = ", ".join(path.stem for path in files) or "none"
    if not files:
        raise _refuse(str(agents), "holds no agent file; create one with: sekisho check --init")
    if token is None:
        if len(files) > 1:
            message = f"holds several agents ({stems}); name one with SEKISHO_AGENT or --agent"
            raise _refuse(str(agents), message)
        return files[0]
    if not re.fullmatch(TOKEN_PATTERN, token):
        message = f"{token!a} is not a product token: letters, '-' and '_' only (RFC 9309 section 2.2.1)"
        raise _refuse(str(agents), message)
    for path in files:
        if path.name == f"{token.lower()}.toml":
            return path
    raise _refuse(str(agents), f"has no file for the agent {token}; files there: {stems}")


def load_agent(folder: Path, token: str | None = None) -> LoadedAgent:
    """Load the agent of a policies folder: the one named by its product token, or the only one there is.

    The token is compared without case (RFC 9309 section 2.2.1). Raises AgentError, which every caller shows
    as it stands and answers by not crawling.
    """
    loaded = read_agent(_choose(agent_files(folder), agents_folder(folder), token))
    expected = f"{loaded.policy.token.lower()}.toml"
    if loaded.path.name != expected:
        problem = Problem(
            line=nearest_line(locate(loaded.raw.decode("utf-8")), ("token",)),
            field="token",
            message=f"is {loaded.policy.token!r}, so the file must be called {expected}",
        )
        raise AgentError(str(loaded.path), [problem])
    return loaded


def require_ready(loaded: LoadedAgent, today: date) -> tuple[Finding, ...]:
    """Return the warnings on an agent that may crawl on this UTC day; AgentError when it may not."""
    findings = agent_findings(loaded.policy, today)
    places = locate(loaded.raw.decode("utf-8"))
    errors = [
        Problem(
            line=nearest_line(places, tuple(finding.field.split("."))),
            field=finding.field,
            message=finding.message,
        )
        for finding in findings
        if finding.severity is Severity.ERROR
    ]
    if errors:
        raise AgentError(str(loaded.path), errors)
    return findings
