"""Judges what earlier runs kept against today's signals, lists and policy, and lists what to withdraw.

    sekisho reapply --out withdraw.csv
    sekisho reapply --run 20261122T002931Z-0a178921 --dry-run
    sekisho reapply --offline
    sekisho reapply --list --out withdrawn.csv

Every site is asked anew for robots.txt and its files of rights, through the log and the door like in any
crawl; with --pages each page that still stands is asked for anew as well, and not kept. With --offline nobody
is asked: lists, policy and waivers alone are judged by. Each withdrawal is recorded before it is listed, and
none twice: an interrupted run is simply repeated.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blocklists.errors import ExitCode, SekishoError, UsageError
from blocklists.host import canonical_host
from crawler.commands.reapply_list import ListFile, Row, row_of_judged, row_of_withdrawal
from crawler.decisionlog.location import log_url
from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.selection import Selection, parse_time
from crawler.withdrawals import withdrawals
from policies.agents import load_agent
from policies.console import OutputFormat, as_json, as_jsonl, one_of, table
from policies.reapply import Again
from policies.vocabulary import Reason, Stage

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import AsyncIterator, Callable, Iterable

    from scrapy.settings import Settings

    from crawler.reapply import Counts, Judged, Order

HELP = "judge what was kept by today's signals, and list what to withdraw"
EXAMPLES = (
    "sekisho reapply --out withdraw.csv               # ask every site anew, record what to withdraw",
    "sekisho reapply --host news.example.jp --pages   # one publisher, each page asked for anew",
    "sekisho reapply --offline --dry-run              # by today's lists and waivers; nothing is recorded",
    "sekisho reapply --list --out withdrawn.csv       # all that was ever withdrawn, from the log",
)
SCHEMA = "sekisho.reapply/1"
_SHOWN = ("outcome", "reason", "url", "evidence_source", "evidence_line", "evidence_text", "decision")
_WIDEST = 60
_PROGRESS_SECONDS = 2.0
# What a site's silence leaves undecided: asking later may help.
_SILENT = frozenset({Reason.ROBOTS_UNREACHABLE, Reason.ERROR_NETWORK, Reason.LICENCE_UNKNOWN})


class InterruptedRunError(SekishoError):
    """The run was stopped before its end; repeating it goes on from there."""

    exit_code = ExitCode.TRY_LATER


@dataclass(slots=True)
class _Done:
    """What the run came to; filled in by its spider."""

    began: bool = False
    counts: Counts | None = None
    error: Exception | None = None
    silent: int = 0
    rows: list[Row] = field(default_factory=list)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    chosen = parser.add_argument_group("which kept pages (default: all that this agent kept)")
    chosen.add_argument("--run", action="append", default=[], metavar="ID", help="of this run; repeatable")
    chosen.add_argument(
        "--host", action="append", default=[], help="of this host and its subdomains; repeatable"
    )
    chosen.add_argument("--from", dest="since", metavar="TIME", help="kept from this date or time on, UTC")
    chosen.add_argument("--to", dest="until", metavar="TIME", help="kept up to this date (included) or time")
    how = parser.add_argument_group("how they are judged")
    how.add_argument("--pages", action="store_true", help="ask for each page anew, too; it is not kept")
    how.add_argument("--offline", action="store_true", help="ask nobody: lists, policy and waivers only")
    how.add_argument("--dry-run", action="store_true", help="list, and record no withdrawal")
    how.add_argument("--list", action="store_true", help="judge nothing: list the withdrawals in the log")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the list here: .csv or .jsonl")
    parser.add_argument("--agent", metavar="TOKEN", help="product token (default: the only declared agent)")
    parser.add_argument(
        "--policies", metavar="DIR", help="folder with agents/*.toml (default: SEKISHO_POLICIES)"
    )
    parser.add_argument("--blocklists", metavar="DIR", help="folder with lists (default: SEKISHO_BLOCKLISTS)")
    parser.add_argument("--waivers", metavar="FILE", help="waiver file (default: SEKISHO_WAIVERS_FILE)")
    parser.add_argument("--log", metavar="URL", help="decision log (default: SEKISHO_LOG)")
    parser.add_argument(
        "--format", type=one_of(OutputFormat), choices=list(OutputFormat), default=OutputFormat.TABLE
    )
    parser.add_argument(
        "--json", action="store_const", const=OutputFormat.JSON, dest="format", help="same as --format json"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress lines")


def run(arguments: Namespace) -> int:
    """Judge or list, print or write the rows, and return the exit code."""
    _check(arguments)
    url = log_url(arguments.log)
    with ExitStack() as stack:
        out = ListFile(arguments.out) if arguments.out is not None else None
        reader = stack.enter_context(LogReader.open(url))
        if arguments.list:
            if out is not None:
                stack.enter_context(out)
            return _list(arguments, reader, out)
        settings = _settings(arguments, url)
        order = _order(arguments, settings)
        next(
            iter(order.kept.records(reader)), None
        )  # a run that is not there is told before anything is asked
        if out is not None:
            stack.enter_context(out)
        done = _run(settings, order, reader, out, progress=_progress(arguments, order, reader))
    return _closing(arguments, done, out)


def _check(arguments: Namespace) -> None:
    """Raise UsageError for options that contradict each other."""
    if arguments.offline and arguments.pages:
        raise UsageError("--offline asks nobody, and --pages asks for every page: choose one of them")
    judging = [name for name in ("offline", "pages", "dry_run") if getattr(arguments, name)]
    if arguments.list and judging:
        option = judging[0].replace("_", "-")
        raise UsageError(f"--list judges nothing, and --{option} says how to judge: choose one of them")


def _kept(arguments: Namespace, agent: str | None) -> Selection:
    """Return which kept pages are meant. UsageError for a host or a time that is none."""
    hosts = [canonical_host(host) for host in arguments.host]
    for host, canonical in zip(arguments.host, hosts, strict=True):
        if canonical is None:
            raise UsageError(f"{host!r} is no host: write a name such as example.org")
    since = parse_time(arguments.since, end=False) if arguments.since else None
    until = parse_time(arguments.until, end=True) if arguments.until else None
    if since is not None and until is not None and since >= until:
        raise UsageError(f"--from {arguments.since} lies behind --to {arguments.until}: nothing lies between")
    return Selection(
        since=since,
        until=until,
        hosts=tuple(host for host in hosts if host is not None),
        runs=tuple(arguments.run),
        agents=(agent,) if agent else (),
        verdicts=("keep",),
        stages=(Stage.RESPONSE,),
    )


def _settings(arguments: Namespace, log: str) -> Settings:
    from scrapy.utils.project import get_project_settings  # noqa: PLC0415 - --list needs no Scrapy

    settings = get_project_settings()
    given = {
        "SEKISHO_POLICIES": arguments.policies or os.environ.get("SEKISHO_POLICIES"),
        "SEKISHO_BLOCKLISTS": arguments.blocklists or os.environ.get("SEKISHO_BLOCKLISTS"),
        "SEKISHO_WAIVERS_FILE": arguments.waivers or os.environ.get("SEKISHO_WAIVERS_FILE"),
        "SEKISHO_AGENT": arguments.agent,
        "SEKISHO_LOG": log,
        "SEKISHO_PROGRESS": False,
        "ADDONS": {"crawler.addon.SekishoAddon": 100},
        "LOG_LEVEL": "ERROR",
    }
    for name, value in given.items():
        if value is not None:
            settings.set(name, value, priority="cmdline")
    return settings


def _order(arguments: Namespace, settings: Settings) -> Order:
    """Return what to judge. SekishoError for an agent, a run or a host that is not there."""
    from crawler.config import read_config  # noqa: PLC0415
    from crawler.reapply import Order  # noqa: PLC0415 - imports Scrapy

    config = read_config(settings)
    agent = load_agent(config.policies, config.agent)
    kept = _kept(arguments, agent.policy.token)
    return Order(kept=kept, offline=arguments.offline, pages=arguments.pages, rehearse=arguments.dry_run)


def _progress(arguments: Namespace, order: Order, reader: LogReader) -> Callable[[Counts], None]:
    """Return what says every few seconds how far the run is."""
    if arguments.quiet:
        return lambda _: None
    (total,) = reader.query(
        "SELECT COUNT(*) FROM decisions WHERE stage = 'response' AND verdict = 'keep' AND kind = 'page'"
    )[0]
    narrowed = bool(order.kept.runs or order.kept.hosts or order.kept.since or order.kept.until)
    of = "" if narrowed else f" of at most {int(str(total)):,}"
    last = time.monotonic()

    def tell(counts: Counts) -> None:
        nonlocal last
        if time.monotonic() - last >= _PROGRESS_SECONDS:
            last = time.monotonic()
            found = f"to withdraw {counts.withdraw:,}, undecided {counts.undecided:,}"
            print(f"sekisho: judged {counts.judged:,}{of}; {found}", file=sys.stderr)

    return tell


def _run(
    settings: Settings,
    order: Order,
    reader: LogReader,
    out: ListFile | None,
    *,
    progress: Callable[[Counts], None],
) -> _Done:
    """Run the guarded crawl that judges. SekishoError when it could not do its work."""
    from scrapy import Spider  # noqa: PLC0415
    from scrapy.crawler import AsyncCrawlerProcess  # noqa: PLC0415

    from crawler.reapply import Reapply  # noqa: PLC0415

    done = _Done()

    def told(judged: Judged) -> None:
        row = row_of_judged(judged)
        if judged.outcome is Again.UNDECIDED and judged.because[0].reason in _SILENT:
            done.silent += 1
        if out is None:
            done.rows.append(row)
        else:
            out.write(row)

    class ReapplySpider(Spider):
        name = "reapply"

        async def start(self) -> AsyncIterator[Any]:
            done.began = True
            try:
                reapply = Reapply(self.crawler, order=order, reader=reader, told=told, progress=progress)
                done.counts = await reapply.run()
            except SekishoError as error:
                done.error = error
            return
            yield  # type: ignore[unreachable] # makes it an asynchronous generator, as Scrapy wants

    process = AsyncCrawlerProcess(settings)
    process.crawl(ReapplySpider)
    process.start()
    if done.error is not None:
        raise done.error
    if not done.began:
        raise SekishoError("the run that judges did not start; see the messages above")
    if done.counts is None:
        raise InterruptedRunError(
            "the run was stopped before its end; what was recorded stays recorded, and running it again goes "
            "on from there"
        )
    return done


def _print(arguments: Namespace, rows: Iterable[Row], members: dict[str, object]) -> None:
    found = list(rows)
    if arguments.format is OutputFormat.JSON:
        print(as_json(SCHEMA, members | {"records": found}))
    elif arguments.format is OutputFormat.JSONL:
        if found:
            print(as_jsonl(found))
    elif found:
        print(
            table(
                [name.upper() for name in _SHOWN],
                [[row[name] for name in _SHOWN] for row in found],
                widest=_WIDEST,
            )
        )


def _list(arguments: Namespace, reader: LogReader, out: ListFile | None) -> int:
    """List the withdrawals that the log holds."""
    kept = _kept(arguments, arguments.agent)
    kept.require_runs(reader)
    rows = (row_of_withdrawal(one) for one in withdrawals(reader) if one.is_of(kept))
    if out is None:
        found = list(rows)
        _print(arguments, found, {"withdrawn": len(found)})
        count = len(found)
    else:
        for row in rows:
            out.write(row)
        count = out.rows
    print(f"sekisho: {count:,} records were withdrawn{_to(out)}", file=sys.stderr)
    return ExitCode.DONE


def _to(out: ListFile | None) -> str:
    return "" if out is None else f"; list: {out.path}"


def _closing(arguments: Namespace, done: _Done, out: ListFile | None) -> int:
    counts = done.counts
    if counts is None:
        return ExitCode.FAILED
    members: dict[str, object] = {
        "judged": counts.judged,
        "stands": counts.stands,
        "withdraw": counts.withdraw,
        "undecided": counts.undecided,
        "withdrawn_before": counts.before,
        "recorded": not arguments.dry_run,
    }
    if out is None:
        _print(arguments, done.rows, members)
    if not counts.judged and not counts.before:
        print(
            "sekisho: nothing to judge: the log has no page that was kept and is meant here", file=sys.stderr
        )
    recorded = "not recorded, this was a dry run" if arguments.dry_run else "recorded"
    print(
        f"sekisho: judged {counts.judged:,} kept pages: {counts.stands:,} stand, {counts.withdraw:,} to "
        f"withdraw ({recorded}), {counts.undecided:,} undecided; {counts.before:,} were withdrawn "
        f"before{_to(out)}",
        file=sys.stderr,
    )
    if counts.withdraw or counts.undecided > done.silent:
        return ExitCode.FINDINGS
    return ExitCode.TRY_LATER if done.silent else ExitCode.DONE
