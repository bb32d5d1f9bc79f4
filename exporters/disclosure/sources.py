"""What the log says about itself and about the promises in force: policies, lists, segments, their check.

Policies are those whose documents the log holds, each for the time in which it was acted under, not only the
present one. A document that is missing or cannot be read is reported, never guessed.
Reads through the `Log` protocol only; writes nothing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.agents import AgentError, AgentPolicy, parse_agent

if TYPE_CHECKING:
    from exporters.disclosure.figures import Figure, Log


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyInForce:
    """One version of an agent policy and the time in which decisions were made under it (UTC microseconds).

    `policy` is None when the log does not hold its document, or when this version cannot read it; `problem`
    says why in words. `digest_agrees` tells whether the document has the digest under which it is filed.
    """

    sha256: str
    permits: int
    first_us: int
    last_us: int
    policy: AgentPolicy | None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSource:
    """One list of a snapshot. `weight` says who recognised the sites; `dated` is an ISO time, or empty.

    `report` is where a wrong entry is reported: what the list says of that, else where it was published.
    """

    id: str
    title: str
    weight: str
    authority: str
    sha256: str
    entries: int
    dated: str
    report: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One site that the operator freed; `expires` is an ISO day, the last one (UTC)."""

    pattern: str
    match: str
    reason: str
    expires: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListsInForce:
    """One state of the block lists and the time in which decisions were made under it (UTC microseconds).

    `sources` come from the snapshot's own document; empty, with a `problem`, when the log does not hold it.
    """

    sha256: str
    decisions: int
    first_us: int
    last_us: int
    sources: tuple[ListSource, ...]
    overrides: tuple[Override, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHeader:
    """What a run says of itself (schema `sekisho.run/1`); empty texts when the log cannot show it."""

    segment: str
    run: str
    user_agent: str
    versions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One run's tree: `size` records; `root` (hex) is its newest head, empty without one.

    `sealed` is false while the run is open, and for ever when it ended without closing.
    """

    id: str
    run: str
    size: int
    root: str
    opened_us: int
    sealed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What checking the log came to. `verified` only after every record was hashed again."""

    verified: bool
    records: int
    segments: int
    problem: str = ""


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _words(members: object, key: str) -> str:
    value = members.get(key) if isinstance(members, dict) else None
    return value if isinstance(value, str) else ""


def _read_policy(log: Log, sha256: str) -> tuple[AgentPolicy | None, str]:
    raw = log.document(sha256)
    if raw is None:
        return None, "document_absent"
    if hashlib.sha256(raw).hexdigest() != sha256:
        return None, "document_differs"
    try:
        return parse_agent(raw, f"policy {sha256[:12]}"), ""
    except AgentError:
        return None, "document_unreadable"


def policies_in_force(log: Log, figure: Figure) -> tuple[PolicyInForce, ...]:
    """Return the policies that the figure `policies` names, oldest first."""
    found = []
    for sha256, permits, first_us, last_us in figure.rows:
        policy, problem = _read_policy(log, str(sha256 or ""))
        found.append(
            PolicyInForce(
                sha256=str(sha256 or ""),
                permits=_whole(permits),
                first_us=_whole(first_us),
                last_us=_whole(last_us),
                policy=policy,
                problem=problem,
            )
        )
    return tuple(found)


def _read_sources(log: Log, sha256: str) -> tuple[list[object], str]:
    """Return the lists that a snapshot's manifest (schema `sekisho.blocklists/1`) names, as it names them."""
    raw = log.document(sha256)
    if raw is None:
        return [], "document_absent"
    if hashlib.sha256(raw).hexdigest() != sha256:
        return [], "document_differs"
    try:
        members = json.loads(raw)
    except ValueError:
        return [], "document_unreadable"
    found = members.get("sources") if isinstance(members, dict) else None
    return (found, "") if isinstance(found, list) else ([], "document_unreadable")


def _list_source(one: object) -> ListSource:
    declared = one.get("declared") if isinstance(one, dict) else None
    return ListSource(
        id=_words(declared, "id"),
        title=_words(declared, "title"),
        weight=_words(declared, "weight"),
        authority=_words(declared, "authority"),
        sha256=_words(one, "sha256"),
        entries=_whole(one.get("entries")) if isinstance(one, dict) else 0,
        dated=_words(declared, "fetched_at") or _words(declared, "decision_date"),
        report=_words(declared, "report_url") or _words(declared, "url"),
    )


def _list_overrides(one: object) -> list[Override]:
    found = one.get("overrides") if isinstance(one, dict) else None
    return [
        Override(
            pattern=_words(freed, "pattern"),
            match=_words(freed, "match"),
            reason=_words(freed, "reason"),
            expires=_words(freed, "expires"),
        )
        for freed in (found if isinstance(found, list) else ())
    ]


def lists_in_force(log: Log, figure: Figure) -> tuple[ListsInForce, ...]:
    """Return the states of the block lists that the figure `blocklists` names, oldest first."""
    found = []
    for sha256, decisions, first_us, last_us in figure.rows:
        sources, problem = _read_sources(log, str(sha256 or ""))
        found.append(
            ListsInForce(
                sha256=str(sha256 or ""),
                decisions=_whole(decisions),
                first_us=_whole(first_us),
                last_us=_whole(last_us),
                sources=tuple(map(_list_source, sources)),
                overrides=tuple(freed for one in sources for freed in _list_overrides(one)),
                problem=problem,
            )
        )
    return tuple(found)


def run_headers(log: Log, figure: Figure) -> tuple[RunHeader, ...]:
    """Return the headers of the runs that the figure `run_headers` names."""
    found = []
    for segment, run, sha256 in figure.rows:
        raw = log.document(str(sha256 or ""))
        members: object = None
        if raw is not None and hashlib.sha256(raw).hexdigest() == sha256:
            try:
                members = json.loads(raw)
            except ValueError:
                members = None
        versions = members.get("versions") if isinstance(members, dict) else None
        found.append(
            RunHeader(
                segment=str(segment),
                run=str(run),
                user_agent=_words(members, "user_agent"),
                versions=tuple((str(name), str(version)) for name, version in sorted(versions.items()))
                if isinstance(versions, dict)
                else (),
            )
        )
    return tuple(found)
