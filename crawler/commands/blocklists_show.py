"""`sekisho blocklists status|diff|why`: what is in force, what changed, and why a site is listed.

Reads the folder of lists and nothing else.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from blocklists import store
from blocklists.errors import ExitCode, UsageError
from blocklists.host import split_origin
from blocklists.index import IndexChoice
from blocklists.profile import DEFAULT_PROFILE, load_profile
from blocklists.refresh_plan import REFUSE_DAYS, WARN_DAYS, Freshness, SourceState, age_words, due_at
from blocklists.refresh_sources import load_definitions
from blocklists.refresh_state import list_ages, load_states
from blocklists.snapshot import load_snapshot
from blocklists.store_load import ENTRIES, load_past, read_derived, read_manifest, verify_snapshot
from blocklists.store_rows import Rows
from crawler.commands.blocklists import project_setting
from crawler.commands.blocklists_why import answer_members, answer_text, judge
from crawler.decisionlog.clock import SystemClock
from policies.console import OutputFormat, as_json, as_jsonl, render, table

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from blocklists.entry import Entry
    from blocklists.refresh_state import Age
    from blocklists.store_manifest import Snapshot

STATUS_COLUMNS = ("list", "weight", "entries", "confirmed", "age", "next", "note")
DIFF_COLUMNS = ("change", "list", "pattern", "match", "line")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """One entry as far as a comparison goes; its line may move without meaning anything."""

    source_id: str
    pattern: str
    match: str
    action: str


def show_status(folder: Path, arguments: Namespace) -> int:
    """Print what is in force; 3 when something is stale or held, 4 when the snapshot is damaged."""
    now_us = SystemClock().now_us()
    digest = store.read_current(folder)
    if arguments.verify and digest is not None:
        wrong = verify_snapshot(folder, digest)
        for one in wrong:
            print(f"sekisho: {one}", file=sys.stderr)
        if wrong:
            return ExitCode.TAMPERED
    snapshot = load_snapshot(folder, now_us=now_us)
    warn_days = (
        arguments.warn_days
        if arguments.warn_days is not None
        else _days("SEKISHO_LISTS_WARN_DAYS", WARN_DAYS)
    )
    ages = list_ages(
        folder,
        snapshot.sources,
        now_us=now_us,
        warn_days=warn_days,
        refuse_days=max(_days("SEKISHO_LISTS_REFUSE_DAYS", REFUSE_DAYS), warn_days),
    )
    rows = _status_rows(folder, snapshot, {age.source_id: age for age in ages}, now_us)
    if arguments.format is OutputFormat.TABLE:
        form = "compiled" if digest else "the plain folder; `sekisho blocklists build` compiles it"
        print(f"snapshot {snapshot.sha256}\n{len(snapshot.matcher):,} entries, {form}\n")
        print(
            table(
                [one.upper() for one in STATUS_COLUMNS],
                [[row[one] for one in STATUS_COLUMNS] for row in rows],
            )
        )
    elif arguments.format is OutputFormat.JSON:
        head = {"snapshot": snapshot.sha256, "entries": len(snapshot.matcher), "compiled": digest is not None}
        print(
            as_json("sekisho.blocklists-status/1", head | {"lists": rows, "notices": list(snapshot.notices)})
        )
    else:
        print(as_jsonl(rows))
    for notice in snapshot.notices:
        print(f"sekisho: {notice}", file=sys.stderr)
    return ExitCode.FINDINGS if any(row["note"] for row in rows) else ExitCode.DONE


def _project_profile() -> str:
    """Return the profile of the project, without Scrapy where nothing names one."""
    return os.environ.get("SEKISHO_PROFILE") or project_setting("SEKISHO_PROFILE") or DEFAULT_PROFILE


def _days(name: str, usual: float) -> float:
    given = os.environ.get(name) or project_setting(name)
    try:
        return float(given) if given else usual
    except ValueError:
        raise UsageError(f"{name} = {given!r}: a number of days is needed") from None


def _status_rows(
    folder: Path, snapshot: Snapshot, ages: dict[str, Age], now_us: int
) -> list[dict[str, object]]:
    states, definitions = load_states(folder), load_definitions(folder)
    counts = {
        str(one["declared"]["id"]): int(one["entries"]) for one in json.loads(snapshot.manifest)["sources"]
    }
    rows: list[dict[str, object]] = []
    for source in snapshot.sources:
        age, state = ages.get(source.source_id), states.get(source.source_id)
        fetched = source.source_id in definitions
        rows.append(
            {
                "list": source.source_id,
                "weight": source.weight.value,
                "entries": counts[source.source_id],
                "confirmed": _moment(age.confirmed_at) if age else None,
                "age": age_words(age.confirmed_at, now_us) if age else None,
                "next": _moment(due_at(state)) if state and fetched else None,
                "note": _note(folder, age, state, source.source_id),
            }
        )
    in_force = {source.source_id for source in snapshot.sources}
    for name, definition in definitions.items():
        if name not in in_force and definition.licence_accepted:
            note = (
                _note(folder, None, states.get(name), name)
                or "not fetched yet; run: sekisho blocklists refresh"
            )
            rows.append(
                dict.fromkeys(STATUS_COLUMNS)
                | {"list": name, "weight": definition.weight.value, "note": note}
            )
    return rows


def _note(folder: Path, age: Age | None, state: SourceState | None, name: str) -> str:
    notes = []
    if age is not None and age.freshness is not Freshness.FRESH:
        too_old = ", a crawl does not start" if age.freshness is Freshness.EXPIRED else ""
        notes.append(f"{age.freshness.value}{too_old}")
    if state is not None and state.held_sha256:
        held = state.held_sha256[:12]
        where = folder / store.HELD / f"{name}-{held}.list"
        notes.append(f"held {held}: {state.problem}; to be reviewed: {where}")
    elif state is not None and state.failures:
        notes.append(f"failed {state.failures} times: {state.problem}")
    return "; ".join(notes)


def _moment(us: int) -> str:
    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if us else "now"


def show_diff(folder: Path, arguments: Namespace) -> int:
    """Print what changed between two snapshots, list by list and row by row."""
    new = store.find_snapshot(folder, arguments.snap2 or store.CURRENT)
    old = store.find_snapshot(folder, arguments.snap1 or store.PREVIOUS)
    one, other = _entries(folder, old, unlike=new), _entries(folder, new, unlike=old)
    removed = sorted(one.keys() - other.keys(), key=_order)
    added = sorted(other.keys() - one.keys(), key=_order)
    rows = [_diff_row("-", key, one[key]) for key in removed] + [
        _diff_row("+", key, other[key]) for key in added
    ]
    limit = arguments.limit if arguments.limit > 0 else None
    shown = list(islice(rows, limit))
    if arguments.format is OutputFormat.TABLE:
        print(f"from {old}\nto   {new}\n{len(added):,} entries added, {len(removed):,} removed")
        if shown:
            print("\n" + render(arguments.format, "", "changes", DIFF_COLUMNS, shown))
        if len(shown) < len(rows):
            print(f"… {len(rows) - len(shown):,} more (--limit 0 shows all)")
    elif arguments.format is OutputFormat.JSON:
        head = {"from": old, "to": new, "added": len(added), "removed": len(removed)}
        print(as_json("sekisho.blocklists-diff/1", head | {"changes": shown}))
    else:
        print(as_jsonl(shown))
    return ExitCode.FINDINGS if arguments.exit_code and rows else ExitCode.DONE


def _entries(folder: Path, digest: str, *, unlike: str) -> dict[_Listed, int]:
    """Return the entries of a snapshot with their lines; lists that are the same in another are left out."""
    path = store.snapshot_folder(folder, digest)
    read_derived(path, digest)
    same = _lists(folder, digest) & _lists(folder, unlike)
    rows = Rows(path / ENTRIES)
    try:
        left_out = {name for name, _ in same}
        kept = [source.source_id for source in rows.sources if source.source_id not in left_out]
        return {_listed(entry): entry.line_no for name in kept for entry in rows.of_source(name)}
    finally:
        rows.close()


def _lists(folder: Path, digest: str) -> set[tuple[str, str]]:
    members = json.loads(read_manifest(store.snapshot_folder(folder, digest), digest))
    return {(one["declared"]["id"], json.dumps(one, sort_keys=True)) for one in members["sources"]}


def _listed(entry: Entry) -> _Listed:
    return _Listed(
        source_id=entry.source_id, pattern=entry.pattern, match=entry.match.value, action=entry.action.value
    )


def _order(key: _Listed) -> tuple[str, str, str, str]:
    return key.source_id, key.pattern, key.match, key.action


def _diff_row(change: str, key: _Listed, line: int) -> dict[str, object]:
    match = key.match if key.action == "block" else f"{key.match} ({key.action})"
    return {"change": change, "list": key.source_id, "pattern": key.pattern, "match": match, "line": line}


def show_why(folder: Path, arguments: Namespace) -> int:
    """Print every row that names a host or URL, what the profile makes of it, and how the site is freed."""
    now_us = SystemClock().now_us()
    snapshot = (
        load_past(
            folder, store.find_snapshot(folder, arguments.snapshot), now_us=now_us, index=IndexChoice.AUTO
        )
        if arguments.snapshot
        else load_snapshot(folder, now_us=now_us)
    )
    profile = load_profile(arguments.profile or _project_profile())
    definitions = load_definitions(folder)
    answers = []
    for name in arguments.names:
        url = name if "://" in name else f"http://{name}"
        if split_origin(url) is None:
            raise UsageError(f"{name!a} is neither a host nor an http(s) URL")
        answers.append(judge(url, snapshot, profile, definitions, now_us=now_us))
    if arguments.format is OutputFormat.TABLE:
        print("\n\n".join(answer_text(answer) for answer in answers))
    elif arguments.format is OutputFormat.JSON:
        print(
            as_json(
                "sekisho.blocklists-why/1",
                {
                    "snapshot": snapshot.sha256,
                    "profile": profile.name,
                    "hosts": [answer_members(a) for a in answers],
                },
            )
        )
    else:
        print(as_jsonl([answer_members(answer) for answer in answers]))
    blocked = any(answer.blocked for answer in answers)
    return ExitCode.FINDINGS if arguments.exit_code and blocked else ExitCode.DONE
