"""The single checks of `sekisho check` that need no Scrapy: agents, changes, lists, the log's place.

Each returns what it found, in words, and raises nothing for what a person can repair. Writes nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from blocklists.errors import SekishoError
from blocklists.profile import load_profile
from blocklists.refresh_plan import Freshness, age_words
from blocklists.refresh_state import list_ages, require_fresh
from blocklists.snapshot import load_snapshot
from policies.agents import (
    AgentError,
    LoadedAgent,
    Severity,
    agent_files,
    agent_findings,
    load_agent,
)
from policies.agents_changes import (
    LoadedChange,
    change_files,
    change_problems,
    history_files,
    lineage,
    load_upcoming,
    read_change,
)
from policies.waivers import load_waivers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime


class Status(StrEnum):
    """What a check came to. ERROR keeps a crawl from starting; NOTE is for information."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the report: `place` is a file, `file:line`, a folder or a setting."""

    status: Status
    part: str
    place: str
    message: str


def _refusals(part: str, error: AgentError) -> Iterator[Check]:
    """Give every problem of an error its own line."""
    for problem in error.problems:
        place = f"{error.source}:{problem.line}" if problem.line else error.source
        yield Check(status=Status.ERROR, part=part, place=place, message=str(problem))


def _wanted(path: Path, token: str | None) -> bool:
    return token is None or path.stem == token.lower()


def _check_agent(agent: LoadedAgent, today: date) -> Iterator[Check]:
    policy = agent.policy
    message = f"{policy.token} version {policy.version}, sha256 {agent.sha256[:12]}…"
    yield Check(status=Status.OK, part="agent", place=str(agent.path), message=message)
    for finding in agent_findings(policy, today):
        status = Status.ERROR if finding.severity is Severity.ERROR else Status.WARNING
        message = f"{finding.field}: {finding.message}"
        yield Check(status=status, part="agent", place=agent.place(finding.field), message=message)


def check_agents(folder: Path, token: str | None, today: date) -> Iterator[Check]:
    """Check every agent file of a policies folder, or the one of a token, as of a UTC day."""
    try:
        files = agent_files(folder)
        if token is not None or not files:
            load_agent(folder, token)
    except AgentError as error:
        yield from _refusals("agent", error)
        return
    for path in files:
        if not _wanted(path, token):
            continue
        try:
            yield from _check_agent(load_agent(folder, path.stem), today)
        except AgentError as error:
            yield from _refusals("agent", error)
    if token is None and len(files) > 1:
        names = ", ".join(path.stem for path in files)
        message = f"holds several agents ({names}): a crawl needs SEKISHO_AGENT"
        yield Check(status=Status.NOTE, part="agent", place=str(folder), message=message)


def _check_upcoming(folder: Path, agent: LoadedAgent, today: date) -> Iterator[Check]:
    """Check the announced next version of an agent, if there is one."""
    upcoming = load_upcoming(folder, agent.policy.token)
    if upcoming is None:
        return
    policy, place = upcoming.policy, str(upcoming.path)
    if policy.version != agent.policy.version + 1:
        message = f"version must be {agent.policy.version + 1}, the one after {agent.path}"
        yield Check(status=Status.ERROR, part="upcoming", place=upcoming.place("version"), message=message)
    if policy.effective_from <= today:
        message = (
            f"is in force since {policy.effective_from}: move {agent.path.name} to the history as "
            f"{agent.policy.version}.toml, and this file into its place"
        )
        yield Check(status=Status.WARNING, part="upcoming", place=place, message=message)
    else:
        message = f"{policy.token} version {policy.version}, from {policy.effective_from}"
        yield Check(status=Status.OK, part="upcoming", place=place, message=message)


def _check_lineage(
    folder: Path, agent: LoadedAgent, changes: tuple[LoadedChange, ...] | None, today: date
) -> Iterator[Check]:
    """Check the versions of one agent against the fragments (None when some of those are invalid)."""
    try:
        yield from _check_upcoming(folder, agent, today)
        versions = lineage(folder, agent)
    except AgentError as error:
        yield from _refusals("history", error)
        return
    for problem in () if changes is None else change_problems(versions, changes):
        yield Check(status=Status.ERROR, part="change", place=str(agent.path), message=problem)


def check_changes(folder: Path, token: str | None, today: date) -> Iterator[Check]:
    """Check fragments, earlier and announced versions against the agents of a policies folder."""
    changes: list[LoadedChange] = []
    broken = False
    try:
        files = change_files(folder)
    except AgentError as error:
        yield from _refusals("change", error)
        return
    for path in files:
        try:
            changes.append(read_change(path))
        except AgentError as error:
            broken = True
            yield from _refusals("change", error)
    try:
        agents = agent_files(folder)
    except AgentError:
        return  # reported with the agents
    for path in agents:
        try:
            agent = load_agent(folder, path.stem) if _wanted(path, token) else None
        except AgentError:
            continue  # reported with the agents
        if agent is not None:
            yield from _check_lineage(folder, agent, None if broken else tuple(changes), today)
    if changes and not broken:
        message = f"{len(changes)} change fragment(s), {len(history_files(folder))} earlier version(s) kept"
        yield Check(status=Status.OK, part="change", place=str(folder / "changes"), message=message)


def check_lists(folder: Path, now: datetime, *, warn_days: str, refuse_days: str) -> Iterator[Check]:
    """Load the block lists as a crawl would, and look how old they are; ages in days, as in the settings."""
    now_us = int(now.timestamp() * 1_000_000)
    try:
        snapshot = load_snapshot(folder, now_us=now_us)
        ages = list_ages(
            folder,
            snapshot.sources,
            now_us=now_us,
            warn_days=float(warn_days),
            refuse_days=max(float(refuse_days), float(warn_days)),
        )
        require_fresh(folder, snapshot.sources, now_us=now_us, refuse_days=float(refuse_days))
    except ValueError:
        given = f"SEKISHO_LISTS_WARN_DAYS = {warn_days!r}, SEKISHO_LISTS_REFUSE_DAYS = {refuse_days!r}"
        message = f"{given}: numbers of days are needed"
        yield Check(status=Status.ERROR, part="lists", place=str(folder), message=message)
        return
    except SekishoError as error:
        for line in str(error).splitlines():
            yield Check(status=Status.ERROR, part="lists", place=str(folder), message=line.strip())
        return
    for notice in snapshot.notices:
        yield Check(status=Status.WARNING, part="lists", place=str(folder), message=notice)
    for age in ages:
        if age.freshness is not Freshness.FRESH:
            words = f"list {age.source_id} was last confirmed {age_words(age.confirmed_at, now_us)} ago"
            message = f"{words}; run: sekisho blocklists refresh"
            yield Check(status=Status.WARNING, part="lists", place=str(folder), message=message)
    message = f"{len(snapshot.sources)} list(s) loaded, sha256 {snapshot.sha256[:12]}…"
    yield Check(status=Status.OK, part="lists", place=str(folder), message=message)


def check_profile(name: str) -> Iterator[Check]:
    """Load the profile of legal weights as a crawl would; nothing is said of one that is in order."""
    try:
        load_profile(name)
    except SekishoError as error:
        for line in str(error).splitlines():
            yield Check(status=Status.ERROR, part="lists", place="SEKISHO_PROFILE", message=line.strip())


def check_waivers(name: str, today: date) -> Iterator[Check]:
    """Read the waiver file as a crawl would, and name the waivers that do not hold on a UTC day."""
    if not name:
        return
    try:
        waivers = load_waivers(Path(name))
    except AgentError as error:
        yield from _refusals("waivers", error)
        return
    lapsed = waivers.lapsed(today)
    for one in lapsed:
        waiver = one.waiver
        words = (
            f"expired on {waiver.expires}"
            if waiver.expires < today
            else f"takes effect on {waiver.effective_from}"
        )
        place = f"{one.source}:{one.line}" if one.line else one.source
        message = f"{waiver.document}: {words}, and lifts nothing today"
        yield Check(status=Status.WARNING, part="waivers", place=place, message=message)
    message = f"{len(waivers.placed) - len(lapsed)} of {len(waivers.placed)} waiver(s) hold today"
    yield Check(status=Status.OK, part="waivers", place=name, message=message)


def _sqlite_problem(path: Path) -> str:
    """Return why a log file could not be written, or nothing; creates no file."""
    if path.is_dir():
        return "is a folder; name a file"
    if path.exists():
        # A reader of the log may own it; a crawl has to write the file and its journal beside it.
        if not os.access(path, os.W_OK):
            return "cannot be written by this user"
        with path.open("rb") as stream:
            head = stream.read(16)
        if head and head != b"SQLite format 3\x00":
            return "is not an SQLite database; name another file"
    folder = path.absolute().parent
    if not folder.is_dir():
        return f"its folder {folder} does not exist; create it"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"its folder {folder} cannot be written by this user"
    return ""


def check_log(url: str) -> Iterator[Check]:
    """Check that the decision log could be written, without creating or opening it."""
    from sqlalchemy.engine import make_url  # noqa: PLC0415 - 0.2 s, not needed for `--init`
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415 - as above

    try:
        target = make_url(url)
    except (ArgumentError, ValueError):
        message = "is not an SQLAlchemy URL such as sqlite:///sekisho.db"
        yield Check(status=Status.ERROR, part="log", place="SEKISHO_LOG", message=message)
        return
    place = target.render_as_string(hide_password=True)
    if target.get_backend_name() != "sqlite":
        message = "is on a server; it is opened when the crawl starts, and not now"
        yield Check(status=Status.NOTE, part="log", place=place, message=message)
        return
    if target.database in (None, "", ":memory:"):
        message = "is in memory and would be lost; name a file"
        yield Check(status=Status.ERROR, part="log", place=place, message=message)
        return
    problem = _sqlite_problem(Path(str(target.database)))
    if problem:
        yield Check(status=Status.ERROR, part="log", place=place, message=problem)
    else:
        yield Check(status=Status.OK, part="log", place=place, message="can be written")
