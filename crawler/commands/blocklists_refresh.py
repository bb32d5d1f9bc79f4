"""`sekisho blocklists refresh`: a guarded run whose spider asks for block lists and nothing else."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blocklists import store
from blocklists.errors import ExitCode, SekishoError, UsageError
from blocklists.refresh_judge import Outcome
from blocklists.refresh_plan import SourceState, is_due
from blocklists.refresh_sources import SOURCES, load_definitions, wanted_definitions
from blocklists.refresh_state import load_states
from blocklists.refresh_store import compile_lists
from crawler.commands.blocklists import folder_of
from crawler.config import LONGEST_LIST_AGE, read_config
from crawler.decisionlog.clock import SystemClock
from crawler.decisionlog.location import log_url
from crawler.list_refresh import ListRefresh, Order, Refresh
from policies.console import OutputFormat, render

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import AsyncIterator

    from scrapy.settings import Settings

COLUMNS = ("list", "outcome", "before", "entries", "sha256", "concerns")
_HEX = frozenset("0123456789abcdef")
_SHORTEST_DIGEST = 12


@dataclass(slots=True)
class _Done:
    """What the run came to; written by its spider."""

    refresh: Refresh | None = None
    error: Exception | None = None


def refresh(arguments: Namespace) -> int:
    """Fetch what is due, print what became of it, and return the exit code."""
    folder = folder_of(arguments.blocklists)
    with store.locked(folder):
        seed(folder)
        definitions = wanted_definitions(folder, arguments.ids)
        states = load_states(folder)
        accepted = _accepted(arguments.accept, states)
        now_us = SystemClock().now_us()
        due = tuple(
            one
            for one in definitions
            if arguments.force or one.id in accepted or is_due(states.get(one.id, SourceState()), now_us)
        )
        settings = _settings(arguments, folder)
        config = read_config(settings)
        # What the operator changed by hand is compiled first, so that the run starts with it.
        compile_lists(folder, now_us=now_us, index=config.lists_index, keep=config.lists_keep)
        if not due:
            _say_nothing_is_due(folder, definitions)
            return ExitCode.DONE
        order = Order(
            folder=folder,
            definitions=due,
            accepted=accepted,
            index=config.lists_index,
            keep=config.lists_keep,
        )
        done = _run(settings, order)
    print(_text(done, arguments.format))
    if done.built is not None:
        print(
            f"sekisho: in force now: snapshot {done.built.sha256[:12]}, {done.built.entries:,} entries",
            file=sys.stderr,
        )
    return _exit_code(done)


def seed(folder: Path) -> None:
    """Put the starter lists into a folder that holds no list: a run without any list does not start."""
    if any(folder.glob("*.toml")) or any((folder / store.FETCHED).glob("*.toml")):
        return
    with as_file(files("blocklists").joinpath("starter")) as starter:
        names = sorted(path for path in Path(starter).iterdir() if path.suffix in (".toml", ".jsonl", ".txt"))
        for path in names:
            shutil.copyfile(path, folder / path.name)
    print(f"sekisho: {folder} held no list; the starter lists were put into it", file=sys.stderr)


def _accepted(given: list[str], states: dict[str, SourceState]) -> dict[str, str]:
    """Return the full digests of the held lists that a person accepts."""
    accepted = {}
    for one in given:
        name, _, digest = one.partition("=")
        digest = digest.lower()
        if len(digest) < _SHORTEST_DIGEST or not set(digest) <= _HEX:
            raise UsageError(f"--accept {one!a}: write ID=DIGEST with at least {_SHORTEST_DIGEST} digits")
        held = states.get(name, SourceState()).held_sha256
        if not held.startswith(digest):
            there = f"held is {held[:12]}" if held else "nothing of it is held"
            raise UsageError(f"--accept {one!a}: {there}; see: sekisho blocklists status")
        accepted[name] = held
    return accepted


def _settings(arguments: Namespace, folder: Path) -> Settings:
    from scrapy.utils.project import get_project_settings  # noqa: PLC0415 - late, as in `explain`

    settings = get_project_settings()
    given = {
        "SEKISHO_POLICIES": arguments.policies,
        "SEKISHO_BLOCKLISTS": str(folder),
        "SEKISHO_AGENT": arguments.agent,
        "SEKISHO_LOG": log_url(arguments.log),
        "SEKISHO_PROGRESS": False,
        "ADDONS": {"crawler.addon.SekishoAddon": 100},
        "LOG_LEVEL": "ERROR",
        # This run is the cure for stale lists; its header says so.
        "SEKISHO_LISTS_REFUSE_DAYS": LONGEST_LIST_AGE,
        # Nobody else changes the lists: the lock is ours.
        "SEKISHO_LISTS_WATCH_SECONDS": 3_600,
    }
    for name, value in given.items():
        if value is not None:
            settings.set(name, value, priority="cmdline")
    return settings


def _run(settings: Settings, order: Order) -> Refresh:
    """Run the guarded crawl that asks for the lists. SekishoError when it could not do its work."""
    from scrapy import Spider  # noqa: PLC0415
    from scrapy.crawler import AsyncCrawlerProcess  # noqa: PLC0415

    from crawler.checkpoint import Checkpoint  # noqa: PLC0415

    done = _Done()

    class ListsSpider(Spider):
        name = "blocklists"

        async def start(self) -> AsyncIterator[Any]:
            try:
                checkpoint = Checkpoint.of(self.crawler)
                done.refresh = await ListRefresh(self.crawler, checkpoint, order).run()
            except SekishoError as error:
                done.error = error
            return
            yield  # type: ignore[unreachable] # makes it an asynchronous generator, as Scrapy wants

    process = AsyncCrawlerProcess(settings)
    process.crawl(ListsSpider)
    process.start()
    if done.error is not None:
        raise done.error
    if done.refresh is None:
        raise SekishoError("the run that fetches lists did not start; see the messages above")
    return done.refresh


def _text(done: Refresh, output: OutputFormat) -> str:
    rows: list[dict[str, object]] = [
        {
            "list": one.source_id,
            "outcome": one.decision.outcome.value,
            "before": one.before,
            "entries": one.entries,
            "sha256": one.decision.sha256 if output is not OutputFormat.TABLE else one.decision.sha256[:12],
            "concerns": one.decision.words or None,
        }
        for one in done.lists
    ]
    return render(output, "sekisho.blocklists-refresh/1", "lists", COLUMNS, rows)


def _exit_code(done: Refresh) -> ExitCode:
    outcomes = [one.decision.outcome for one in done.lists]
    if all(outcome is Outcome.FAILED for outcome in outcomes):
        return ExitCode.TRY_LATER
    good = all(outcome in (Outcome.ACCEPTED, Outcome.UNCHANGED) for outcome in outcomes)
    return ExitCode.DONE if good else ExitCode.FINDINGS


def _say_nothing_is_due(folder: Path, definitions: list[Any]) -> None:
    off = sum(not one.licence_accepted for one in load_definitions(folder).values())
    if definitions:
        print("sekisho: no list is due; --force asks all the same", file=sys.stderr)
    else:
        hint = f" ({off} are off until their licence is accepted)" if off else ""
        print(
            f"sekisho: no list to fetch is defined in {folder / SOURCES}{hint}; see: sekisho blocklists add",
            file=sys.stderr,
        )
