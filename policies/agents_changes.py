"""Change fragments: why an agent file changed, from when, and what site owners need to do.

`changes/<YYYY-MM-DD>-<slug>.toml` (format `sekisho.change/1`) belongs to one step from one version of an
agent to the next, or to its withdrawal. It is written once and never edited; a mistake is superseded by
a newer fragment that names it. Sources: Principle-Code PC-1.2c-5 (changes are notified), EU GPAI Code,
copyright measure 1.3(4) (automatic notification). The notice exporter renders exactly these files.
Earlier versions of an agent lie in `agents/history/<token in lower case>/<version>.toml`, an announced one
in `agents/upcoming/`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date  # noqa: TC003 - pydantic reads it at run time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from policies.agents import LoadedAgent, agents_folder, read_agent
from policies.agents_model import TOKEN_PATTERN, Bilingual, Count, Day, Part
from policies.agents_problems import AgentError, Problem, parse_table

if TYPE_CHECKING:
    from pathlib import Path

_FILE_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})-[a-z0-9]+(-[a-z0-9]+)*\.toml")


class ChangeKind(StrEnum):
    """What happened to the agent. Its first publication is a baseline and needs no fragment."""

    CHANGED = "changed"
    WITHDRAWN = "withdrawn"


class ChangeFragment(Part):
    """One announced step of one agent.

    `published` and `effective_from` are UTC days; `version_to` is absent for a withdrawal. `site_owners` says
    what a site owner has to do, if anything. `supersedes` names the file of an earlier fragment.
    """

    schema_id: Annotated[Literal["sekisho.change/1"], Field(alias="schema")]
    token: Annotated[str, Field(pattern=TOKEN_PATTERN)]
    kind: Annotated[ChangeKind, Field(validate_default=True)] = ChangeKind.CHANGED
    version_from: Annotated[Count, Field(ge=1)]
    version_to: Annotated[Count, Field(ge=1)] | None = None
    published: Day
    effective_from: Day
    what: Bilingual
    why: Bilingual
    site_owners: Bilingual | None = None
    supersedes: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}-[a-z0-9-]+\.toml$")] | None = None

    @field_validator("version_to")
    @classmethod
    def _forward(cls, value: int | None, info: ValidationInfo) -> int | None:
        withdrawn = info.data.get("kind") is ChangeKind.WITHDRAWN
        before = info.data.get("version_from")
        if withdrawn and value is not None:
            raise PydanticCustomError("version", "has no place in a withdrawal; remove it")
        if not withdrawn and value is None:
            raise PydanticCustomError("version", "is missing; add the version that this change leads to")
        if value is not None and before is not None and value != before + 1:
            raise PydanticCustomError(
                "version", "must be {next}, because versions grow by one", {"next": before + 1}
            )
        return value

    @field_validator("effective_from")
    @classmethod
    def _announced(cls, value: date, info: ValidationInfo) -> date:
        published = info.data.get("published")
        if published is not None and value < published:
            raise PydanticCustomError(
                "effective_from", "lies before the publication; announce first, then change"
            )
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedChange:
    """A change fragment with its file; `sha256` is the hex digest of the file's octets."""

    change: ChangeFragment
    path: Path
    raw: bytes
    sha256: str


def parse_change(raw: bytes, source: str) -> ChangeFragment:
    """Return the fragment that a file holds; AgentError names file and line."""
    return parse_table(raw, source, ChangeFragment)


def _refuse(path: Path, message: str) -> AgentError:
    return AgentError(str(path), [Problem(line=None, field="", message=message)])


def read_change(path: Path) -> LoadedChange:
    """Read one change fragment; AgentError when it is invalid or its file name does not fit."""
    name = _FILE_NAME.fullmatch(path.name)
    if name is None:
        raise _refuse(path, "is not named <YYYY-MM-DD>-<slug>.toml in lower case; rename it")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise _refuse(path, f"cannot be read: {error.strerror}") from None
    change = parse_change(raw, str(path))
    if change.published.isoformat() != name[1]:
        raise _refuse(
            path, f"is named for {name[1]}, but says published = {change.published}; make them equal"
        )
    return LoadedChange(change=change, path=path, raw=raw, sha256=hashlib.sha256(raw).hexdigest())


def change_files(folder: Path) -> tuple[Path, ...]:
    """Return the fragment files of a policies folder by name, hence by date; none when there is no folder."""
    try:
        return tuple(sorted(path for path in (folder / "changes").iterdir() if path.suffix == ".toml"))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise _refuse(folder / "changes", f"cannot be read: {error.strerror}") from None


def load_changes(folder: Path) -> tuple[LoadedChange, ...]:
    """Load every change fragment of a policies folder, oldest first; AgentError at the first invalid one."""
    return tuple(read_change(path) for path in change_files(folder))


def history_files(folder: Path) -> tuple[Path, ...]:
    """Return every kept earlier version of every agent, by token and version."""
    found = (agents_folder(folder) / "history").glob("*/*.toml")
    return tuple(sorted(found, key=lambda path: (path.parent.name, len(path.name), path.name)))


def load_history(folder: Path, token: str) -> tuple[LoadedAgent, ...]:
    """Load the kept versions of one agent, oldest first.

    AgentError when a file is invalid, names another token, or holds another version than its name says.
    """
    loaded = []
    for path in history_files(folder):
        if path.parent.name != token.lower():
            continue
        agent = read_agent(path)
        if agent.policy.token.lower() != path.parent.name:
            raise _refuse(
                path, f"declares {agent.policy.token}, but lies in the folder of {path.parent.name}"
            )
        if path.name != f"{agent.policy.version}.toml":
            raise _refuse(path, f"holds version {agent.policy.version}; call it {agent.policy.version}.toml")
        loaded.append(agent)
    return tuple(loaded)


def load_upcoming(folder: Path, token: str) -> LoadedAgent | None:
    """Load the announced next version of an agent, `agents/upcoming/<token in lower case>.toml`, or None.

    The crawl goes on under the version in force; on the effective day the operator moves that one into the
    history and this one into its place. AgentError when the file is invalid or declares another token.
    """
    path = agents_folder(folder) / "upcoming" / f"{token.lower()}.toml"
    if not path.exists():
        return None
    agent = read_agent(path)
    if agent.policy.token.lower() != token.lower():
        raise _refuse(path, f"declares {agent.policy.token}; call it {agent.policy.token.lower()}.toml")
    return agent


def lineage(folder: Path, current: LoadedAgent) -> tuple[LoadedAgent, ...]:
    """Return every version at hand of an agent, oldest first: kept ones, the one in force, the announced one.

    The one in force may also lie among the kept ones; both copies are returned then, for comparison.
    """
    upcoming = load_upcoming(folder, current.policy.token)
    versions = (*load_history(folder, current.policy.token), current, *((upcoming,) if upcoming else ()))
    return tuple(sorted(versions, key=lambda agent: agent.policy.version))


def _copy_problems(versions: tuple[LoadedAgent, ...]) -> list[str]:
    """Return where two files hold one version with different meaning."""
    found, known = [], dict[int, LoadedAgent]()
    for agent in versions:
        version = agent.policy.version
        other = known.setdefault(version, agent)
        if other.policy != agent.policy:
            found.append(
                f"{agent.path} differs from {other.path}, and both say version {version}: what was published "
                f"keeps its version; give the change version {version + 1} and a change fragment"
            )
    return found


def change_problems(versions: tuple[LoadedAgent, ...], changes: tuple[LoadedChange, ...]) -> tuple[str, ...]:
    """Return what is wrong between the versions of one agent and the fragments, one sentence each.

    A version is what was published: a file that changed without a new version, or a new version without a
    fragment, would change the crawler's conduct without notice. `versions` as from `lineage`, not empty.
    """
    found = _copy_problems(versions)
    known = {agent.policy.version: agent for agent in versions}
    newest = versions[-1].policy
    token = newest.token.lower()
    steps = {
        fragment.change.version_to: fragment
        for fragment in changes
        if fragment.change.token.lower() == token and fragment.change.kind is ChangeKind.CHANGED
    }
    for version in range(2, newest.version + 1):
        fragment = steps.get(version)
        if fragment is None:
            found.append(
                f"version {version} of {newest.token} has no change fragment: add "
                f"changes/<date>-<slug>.toml with version_from = {version - 1}, version_to = {version}"
            )
        elif version in known and known[version].policy.effective_from != fragment.change.effective_from:
            found.append(
                f"{fragment.path} announces {fragment.change.effective_from}, but {known[version].path} is "
                f"effective from {known[version].policy.effective_from}"
            )
        if version - 1 not in known:
            found.append(
                f"version {version - 1} of {newest.token} is not kept: put the file as it was published into "
                f"agents/history/{token}/{version - 1}.toml"
            )
    found.extend(
        f"{fragment.path} leads to version {version} of {newest.token}, which is not there: put the "
        f"announced file into agents/upcoming/{token}.toml"
        for version, fragment in steps.items()
        if version is not None and version > newest.version
    )
    return tuple(found)
