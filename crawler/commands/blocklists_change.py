"""`sekisho blocklists add|override|build|prune`: what changes the operator's own lists, in effect at once.

Each change is checked before the old file is replaced, and compiled in the same step; a crawl that is running
moves to the new snapshot between two requests and records it.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from blocklists import store
from blocklists.entry import EntryAction, Match
from blocklists.errors import ExitCode, ListError, UsageError
from blocklists.formats.plain import parse_plain
from blocklists.host import split_origin
from blocklists.index import IndexChoice
from blocklists.manifest import load_model
from blocklists.overrides import OVERRIDES_FILE, OverrideFile, load_overrides
from blocklists.refresh_sources import SOURCES, known_definitions, load_definitions
from blocklists.refresh_store import compile_lists
from blocklists.snapshot import load_snapshot
from blocklists.store_prune import Fate, prune_snapshots
from crawler.commands.blocklists import lists_keep
from crawler.decisionlog.clock import SystemClock
from policies.console import OutputFormat, render, table

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from blocklists.store_build import Built

OWN = "own"
PRUNE_COLUMNS = ("snapshot", "built", "octets", "fate")
_OWN_MANIFEST = """\
# Sites that this operator does not visit, beside the published lists; one a row in own.txt.
id = "own"
title = "Sites that we do not visit"
file = "own.txt"
weight = "operator"
"""
_HEADER = """\
# Sites that lists name wrongly, freed until their last day (UTC). Every use is in the log.
"""


def build(folder: Path, arguments: Namespace) -> int:
    """Compile the lists of the folder and put the result in force."""
    with store.locked(folder):
        built = _compile(folder, IndexChoice(arguments.index))
    _say(built)
    return ExitCode.DONE


def add(folder: Path, arguments: Namespace) -> int:
    """Switch on a list that can be fetched, or put a site into the list of our own."""
    if arguments.host:
        if arguments.id:
            raise UsageError("either a list to be fetched or --host, not both")
        return _add_host(folder, arguments.host, arguments.reason or "")
    if not arguments.id:
        return _show_known(folder)
    known = known_definitions()
    if arguments.id not in known:
        raise UsageError(f"no well-known list is called {arguments.id!a}; there are: {', '.join(known)}")
    definition, octets = known[arguments.id]
    if not arguments.accept_licence:
        raise UsageError(
            f"{definition.id} is published under: {definition.licence}. Read the licence, then "
            "repeat the command with --accept-licence"
        )
    path = folder / SOURCES / f"{definition.id}.toml"
    with store.locked(folder):
        if path.exists():
            raise UsageError(f"{path} exists; set licence_accepted = true in it")
        text = octets.decode("utf-8").replace("licence_accepted = false", "licence_accepted = true")
        store.write_whole(path, text.encode("utf-8"))
        if not load_definitions(folder)[definition.id].licence_accepted:
            path.unlink()
            raise ListError(f"the definition of {definition.id} does not say `licence_accepted = false`")
    print(f"{path}: {definition.title}; fetch it with: sekisho blocklists refresh {definition.id}")
    return ExitCode.DONE


def override(folder: Path, arguments: Namespace) -> int:
    """Free a site, or end that; in effect with the snapshot that is compiled here."""
    path = folder / OVERRIDES_FILE
    arguments.host = arguments.host.partition("://")[2] or arguments.host
    with store.locked(folder):
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        text = _without(path, arguments.host) if arguments.end else before + _table(arguments, before)
        try:
            _write_checked(path, text)
            built = _compile(folder, IndexChoice.AUTO)
        except ListError:
            _put_back(path, before)
            raise
    _say(built)
    if not arguments.end:
        print(
            f"{arguments.host} is free until {arguments.until}, in crawls that are running too; every visit "
            f"cites this override and what it suppresses. Tell the publisher, too: sekisho blocklists why "
            f"{arguments.host}"
        )
        _say_when_nothing_is_lifted(folder, arguments.host)
    return ExitCode.DONE


def _say_when_nothing_is_lifted(folder: Path, target: str) -> None:
    """Warn when no list names what was freed: perhaps another spelling was meant."""
    url = f"http://{target}"
    parts = split_origin(url)
    if parts is None:
        return
    now_us = SystemClock().now_us()
    hits = load_snapshot(folder, now_us=now_us).matcher.match(parts[1], now_us=now_us, url=url)
    if all(hit.entry.action is EntryAction.OVERRIDE for hit in hits):
        words = "no list names it; is another spelling meant? Hosts below it are free as well"
        print(f"sekisho: {target}: {words}", file=sys.stderr)


def _table(arguments: Namespace, before: str) -> str:
    missing = [f"--{name}" for name in ("reason", "owner", "until") if not getattr(arguments, name)]
    if missing:
        raise UsageError(f"an override answers for itself: add {', '.join(missing)}")
    try:
        until = date.fromisoformat(arguments.until)
    except ValueError:
        raise UsageError(f"--until {arguments.until!a}: a day like 2027-01-31 is needed") from None
    return (
        f"{'' if before else _HEADER}\n[[override]]\npattern = {_string(arguments.host)}\n"
        f"reason = {_string(arguments.reason)}\nowner = {_string(arguments.owner)}\nexpires = {until}\n"
    )


def _without(path: Path, host: str) -> str:
    """Return the file without the overrides of a site; UsageError when there is none."""
    if not path.exists():
        raise UsageError(f"{path} does not exist, so no override can end")
    tables = load_model(path, OverrideFile).override
    kept = [one for one in tables if one.pattern != host]
    if len(kept) == len(tables):
        there = ", ".join(one.pattern for one in tables)
        raise UsageError(f"{path} frees no {host!a}; it frees: {there}")
    if not kept:
        return ""
    parts = [_HEADER]
    for one in kept:
        match = f"match = {_string(one.match.value)}\n" if one.match else ""
        parts.append(
            f"\n[[override]]\npattern = {_string(one.pattern)}\nreason = {_string(one.reason)}\n"
            f"owner = {_string(one.owner)}\nexpires = {one.expires}\n{match}"
        )
    return "".join(parts)


def _write_checked(path: Path, text: str) -> None:
    """Replace the overrides by a text that was read before it took their place."""
    if not text:
        path.unlink(missing_ok=True)
        return
    trial = path.with_name(f".{path.name}.trial")
    try:
        store.write_whole(trial, text.encode("utf-8"))
        load_overrides(trial)
    finally:
        trial.unlink(missing_ok=True)
    store.write_whole(path, text.encode("utf-8"))


def _put_back(path: Path, before: str) -> None:
    if before:
        store.write_whole(path, before.encode("utf-8"))
    else:
        path.unlink(missing_ok=True)


def _add_host(folder: Path, host: str, reason: str) -> int:
    row = f"{host} # {' '.join(reason.split())}" if reason else host
    parsed = parse_plain(row.encode("utf-8"), scope=Match.SUBTREE)
    if len(parsed.rows) != 1:
        problems = (*parsed.rejected, *parsed.quarantined)
        raise UsageError(f"{host!a} {problems[0].why if problems else 'is no host name'}")
    manifest, rows = folder / f"{OWN}.toml", folder / f"{OWN}.txt"
    with store.locked(folder):
        before = rows.read_bytes() if rows.exists() else b""
        if manifest.exists() and 'file = "own.txt"' not in manifest.read_text(encoding="utf-8"):
            raise UsageError(f"{manifest} is another list; write the row into the file that it names")
        separator = b"" if not before or before.endswith(b"\n") else b"\n"
        store.write_whole(rows, before + separator + row.encode("utf-8") + b"\n")
        if not manifest.exists():
            store.write_whole(manifest, _OWN_MANIFEST.encode("utf-8"))
        try:
            built = _compile(folder, IndexChoice.AUTO)
        except ListError:
            if before:
                store.write_whole(rows, before)
            else:
                rows.unlink(missing_ok=True)
                manifest.unlink(missing_ok=True)
            raise
    print(f"{rows}: {parsed.rows[0].pattern} and every host below it")
    _say(built)
    return ExitCode.DONE


def prune(folder: Path, arguments: Namespace) -> int:
    """Remove old compiled snapshots, or say what would be removed."""
    keep = lists_keep() if arguments.keep is None else arguments.keep
    with store.locked(folder):
        found = prune_snapshots(folder, keep=keep, trial=arguments.dry_run)
    rows: list[dict[str, object]] = [
        {
            "snapshot": one.sha256 if arguments.format is not OutputFormat.TABLE else one.sha256[:12],
            "built": datetime.fromtimestamp(one.built_at // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "octets": one.octets,
            "fate": one.fate.value,
        }
        for one in found
    ]
    print(render(arguments.format, "sekisho.blocklists-prune/1", "snapshots", PRUNE_COLUMNS, rows))
    gone = [one for one in found if one.fate is Fate.REMOVED]
    verb = "would be removed" if arguments.dry_run else "removed"
    print(
        f"sekisho: {len(gone)} of {len(found)} snapshots {verb}, {sum(one.octets for one in gone):,} octets; "
        f"the newest {keep} stay (--keep, SEKISHO_LISTS_KEEP)",
        file=sys.stderr,
    )
    return ExitCode.DONE


def _show_known(folder: Path) -> int:
    own = load_definitions(folder)
    rows = []
    for name, (definition, _) in (known_definitions() | {one: (own[one], b"") for one in own}).items():
        state = "accepted" if name in own and own[name].licence_accepted else "off"
        rows.append((name, state, definition.weight.value, definition.licence, definition.title))
    print(table(("LIST", "STATE", "WEIGHT", "LICENCE", "TITLE"), rows))
    return ExitCode.DONE


def _compile(folder: Path, index: IndexChoice) -> Built:
    return compile_lists(folder, now_us=SystemClock().now_us(), index=index, keep=lists_keep())


def _say(built: Built) -> None:
    what = "in force now" if built.is_new else "unchanged"
    print(f"sekisho: {what}: snapshot {built.sha256[:12]}, {built.entries:,} entries", file=sys.stderr)


def _string(text: str) -> str:
    """Return a TOML basic string: JSON's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
