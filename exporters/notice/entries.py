"""The entries of a change notice: which step of which agent, why, from when, with the differences.

Built from the policies folder alone: agent files, their kept earlier versions, change fragments. The first
publication of an agent is a baseline, not a change. A step without its fragment, or a file that changed
without a new version, is refused: what cannot be explained is not published as if it were.
An entry says what EU GPAI Code measure 1.3(4) and Principle-Code PC-1.2c-5 ask for and more: agent, versions,
day of publication and of effect, what, why, what site owners do, differences. Reads through `policies` only.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import TYPE_CHECKING

from blocklists.errors import ExitCode, SekishoError
from exporters.notice.diff import Attention, FieldChange, diff
from policies.agents import AgentPolicy, LoadedAgent, agent_files, load_agent
from policies.agents_changes import (
    ChangeKind,
    LoadedChange,
    change_problems,
    history_files,
    lineage,
    load_changes,
    load_history,
)
from policies.agents_model import Bilingual

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Fixed once: identifiers of entries must never change (RFC 4287 section 4.2.6).
NAMESPACE = uuid.UUID("5b0a3f6e-3a53-4c0e-9d0b-6a6f2f1c7e11")

_BASELINE_WHAT = Bilingual(
    en="First published version. It is the baseline for later changes.",
    ja="最初に公開されたバージョンです。以後の変更の基準となります。",
)


class NoticeError(SekishoError):
    """The policies folder does not explain a change; nothing is published."""

    exit_code = ExitCode.REFUSED


class EntryKind(StrEnum):
    """What an entry announces."""

    BASELINE = "baseline"
    CHANGED = "changed"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From which version to which; None where there is none."""

    before: LoadedAgent | None
    after: LoadedAgent | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeEntry:
    """One announced step. `id` is a URN that never changes; days are UTC.

    `policy` is the version that the entry speaks about: the new one, or the last one of a withdrawn agent.
    `differences` is None when an earlier version was not kept, which the page then says.
    """

    id: str
    kind: EntryKind
    token: str
    policy: AgentPolicy
    step: Step
    version_from: int | None
    version_to: int | None
    published: date
    effective_from: date
    what: Bilingual
    why: Bilingual | None
    site_owners: Bilingual | None
    differences: tuple[FieldChange, ...] | None
    fragment: str = ""
    supersedes: str = ""
    superseded_by: str = ""

    @property
    def anchor(self) -> str:
        """The entry's name within a page and in file names: letters, digits, hyphens, underscores."""
        return f"{self.token.lower()}-{self.fragment.removesuffix('.toml') or 'first'}"

    @property
    def json_name(self) -> str:
        """The file that holds the differences."""
        return f"diff-{self.anchor}.json"

    @property
    def updated(self) -> datetime:
        """When the entry was published; an entry is never edited."""
        return datetime.combine(self.published, time(), UTC)

    @property
    def lead_days(self) -> int:
        """How many days before it takes effect the change was published."""
        return (self.effective_from - self.published).days

    @property
    def attention(self) -> tuple[Attention, ...]:
        """Why the entry deserves a second look, each reason once."""
        found = {change.attention for change in self.differences or ()} - {Attention.NONE}
        return tuple(reason for reason in Attention if reason in found)


def _urn(*parts: str) -> str:
    return f"urn:uuid:{uuid.uuid5(NAMESPACE, '/'.join(parts))}"


def _baseline(agent: LoadedAgent) -> NoticeEntry:
    policy = agent.policy
    return NoticeEntry(
        id=_urn(policy.token.lower(), "baseline"),
        kind=EntryKind.BASELINE,
        token=policy.token,
        policy=policy,
        step=Step(before=None, after=agent),
        version_from=None,
        version_to=policy.version,
        published=policy.effective_from,
        effective_from=policy.effective_from,
        what=_BASELINE_WHAT,
        why=None,
        site_owners=None,
        differences=None,
    )


def announced(fragment: LoadedChange, before: LoadedAgent | None, after: LoadedAgent | None) -> NoticeEntry:
    """Return the entry of a fragment; NoticeError when neither version is at hand."""
    change = fragment.change
    known = after or before
    if known is None:
        raise NoticeError(
            f"{fragment.path}: no version of {change.token} is at hand; keep published files in "
            f"agents/history/{change.token.lower()}/"
        )
    return NoticeEntry(
        id=_urn(change.token.lower(), fragment.path.name),
        kind=EntryKind(change.kind.value),
        token=change.token,
        policy=known.policy,
        step=Step(before=before, after=after),
        version_from=change.version_from,
        version_to=change.version_to,
        published=change.published,
        effective_from=change.effective_from,
        what=change.what,
        why=change.why,
        site_owners=change.site_owners,
        differences=diff(before.policy, after.policy) if before and after else None,
        fragment=fragment.path.name,
        supersedes=change.supersedes or "",
    )


def _of_agent(
    token: str, versions: tuple[LoadedAgent, ...], changes: tuple[LoadedChange, ...], *, declared: bool
) -> Iterator[NoticeEntry]:
    """Return the entries of one agent. `declared`: it has an agent file now."""
    own = tuple(fragment for fragment in changes if fragment.change.token.lower() == token)
    problems = change_problems(versions, own) if versions else ()
    if problems:
        raise NoticeError("; ".join(problems))
    if not declared and not any(fragment.change.kind is ChangeKind.WITHDRAWN for fragment in own):
        raise NoticeError(
            f"{token} has earlier versions or fragments but no agent file: add a fragment with "
            'kind = "withdrawn", or put the file back'
        )
    known = {agent.policy.version: agent for agent in versions}
    if 1 in known:
        yield _baseline(known[1])
    for fragment in own:
        change = fragment.change
        after = known.get(change.version_to) if change.version_to is not None else None
        yield announced(fragment, known.get(change.version_from), after)


def _mark_superseded(entries: list[NoticeEntry]) -> list[NoticeEntry]:
    """Write on each superseded entry which fragment took its place."""
    later = {entry.supersedes: entry.fragment for entry in entries if entry.supersedes}
    names = {entry.fragment for entry in entries}
    missing = sorted(name for name in later if name not in names)
    if missing:
        raise NoticeError(f"changes/{later[missing[0]]} supersedes {missing[0]}, which is not there; keep it")
    return [
        replace(entry, superseded_by=later[entry.fragment]) if entry.fragment in later else entry
        for entry in entries
    ]


def _versions(folder: Path, token: str, current: LoadedAgent | None) -> tuple[LoadedAgent, ...]:
    return load_history(folder, token) if current is None else lineage(folder, current)


def _newest_first(entry: NoticeEntry) -> tuple[date, int, str]:
    """Order by day of publication; of one day, a withdrawal is the newest."""
    return entry.published, entry.version_to or 1_000_000_000, entry.fragment


def load_entries(folder: Path) -> tuple[NoticeEntry, ...]:
    """Return every entry of a policies folder, newest first; AgentError or NoticeError when unsound."""
    current = {path.stem: load_agent(folder, path.stem) for path in agent_files(folder)}
    changes = load_changes(folder)
    tokens = set(current) | {path.parent.name for path in history_files(folder)}
    tokens |= {fragment.change.token.lower() for fragment in changes}
    entries: list[NoticeEntry] = []
    for token in sorted(tokens):
        versions = _versions(folder, token, current.get(token))
        entries.extend(_of_agent(token, versions, changes, declared=token in current))
    return tuple(sorted(_mark_superseded(entries), key=_newest_first, reverse=True))


def pair_entry(folder: Path, before: LoadedAgent, after: LoadedAgent) -> NoticeEntry:
    """Return the entry of one named step; NoticeError when no fragment of the folder explains it."""
    old, new = before.policy, after.policy
    for fragment in reversed(load_changes(folder)):  # a correction comes after what it corrects
        change = fragment.change
        same = change.token.lower() == new.token.lower()
        if same and (change.version_from, change.version_to) == (old.version, new.version):
            return announced(fragment, before, after)
    raise NoticeError(
        f"{folder / 'changes'}: no fragment explains {new.token} version {old.version} to {new.version}; "
        "add <date>-<slug>.toml with what changed, why, and from when"
    )
