"""Says what would happen to a URL, by every rule in order, with evidence, without fetching the page.

    sekisho explain https://www.example.org/private/a
    sekisho explain --format jsonl - < urls.txt
    sekisho explain --robots robots.txt --agent ExampleBot https://www.example.org/private/a
    sekisho explain --at 2026-11-20T09:30:00Z https://www.example.org/private/a

robots.txt is asked for through the log and the door like in any crawl; with --offline the newest copies in
the log are used. With --at TIME what was decided then is replayed from the log's evidence, nobody is asked
either, and what cannot be replayed is said. With --robots FILE that file is judged for any token, and no
agent, list or log is needed.
"""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from blocklists.errors import ExitCode, UsageError
from blocklists.host import split_origin
from blocklists.matcher import DictMatcher
from crawler.commands.explain_families import (
    Said,
    Unasked,
    families_members,
    families_text,
    said_by_families,
)
from crawler.commands.explain_text import explanation_members, explanation_text
from crawler.decisionlog.location import log_url
from policies.ai_agents import load_ai_agents
from policies.console import OutputFormat, as_json, as_jsonl, one_of
from policies.decide import REQUEST_RULES, SiteSide, Standing, judge_request
from policies.facts import RequestFacts
from policies.rights_rules import FILE_RIGHTS, REQUEST_RIGHTS
from policies.rules.judged_rows import Intent
from policies.rules.robots import read_rules
from policies.signals.robots_fetch import read_robots_answer
from policies.signals.robots_lines import is_token
from policies.vocabulary import Origin, Purpose, RequestKind

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator, Mapping, Sequence

    from policies.vocabulary import Assessment

HELP = "say what would happen to a URL, and which line says so"
EXAMPLES = (
    "sekisho explain https://www.example.org/private/a",
    "sekisho explain --offline --format jsonl - < urls.txt",
    "sekisho explain --robots robots.txt --agent ExampleBot https://www.example.org/private/a",
    "sekisho explain --at 2026-11-20T09:30:00Z https://www.example.org/private/a",
)
LARGEST_FILE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What URLs are judged with: the agent's side, its User-Agent, and the readings of each origin."""

    standing: Standing
    user_agent: str
    sides: Mapping[Origin, SiteSide]
    rules: tuple[str, ...] = ()  # of interest; empty means all
    unasked: Unasked = field(default_factory=Unasked)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "urls", nargs="+", metavar="URL", help="absolute URLs; - reads one a line from standard input"
    )
    parser.add_argument(
        "--robots", type=Path, metavar="FILE", help="judge this robots.txt instead of the site's"
    )
    parser.add_argument("--agent", metavar="TOKEN", help="product token (default: the only declared agent)")
    parser.add_argument(
        "--offline", action="store_true", help="ask nobody: use the newest robots.txt in the log"
    )
    parser.add_argument(
        "--policies", metavar="DIR", help="folder with agents/*.toml (default: SEKISHO_POLICIES)"
    )
    parser.add_argument("--blocklists", metavar="DIR", help="folder with lists (default: SEKISHO_BLOCKLISTS)")
    parser.add_argument("--log", metavar="URL", help="decision log (default: SEKISHO_LOG)")
    parser.add_argument(
        "--format", type=one_of(OutputFormat), choices=list(OutputFormat), default=OutputFormat.TABLE
    )
    parser.add_argument(
        "--json", action="store_const", const=OutputFormat.JSON, dest="format", help="same as --format json"
    )
    parser.add_argument(
        "--purpose",
        type=one_of(Purpose),
        choices=list(Purpose),
        action="append",
        help="judge reservations for this purpose; repeatable (default: the agent's; none with --robots)",
    )
    parser.add_argument(
        "--at", metavar="TIME", help="replay what was decided at this time (RFC 3339, UTC) from the log"
    )
    parser.add_argument(
        "--brief", action="store_true", help="leave out what each family means for each purpose"
    )
    parser.add_argument("--exit-code", action="store_true", help="exit with 3 when a URL would be skipped")


def _urls(arguments: Sequence[str]) -> Iterator[str]:
    for given in arguments:
        if given != "-":
            yield given
            continue
        for line in sys.stdin:
            if line.strip() and not line.lstrip().startswith("#"):
                yield line.strip()


def origin_of(url: str) -> Origin | None:
    """Return the origin of a URL, or None when it has none that could be asked."""
    parts = split_origin(url)
    return Origin(scheme=parts[0], host=parts[1], port=parts[2]) if parts else None


def page_facts(url: str, user_agent: str) -> RequestFacts:
    """Return the facts of asking for a page."""
    authority = url.split("://", 1)[-1].split("/", 1)[0]
    return RequestFacts(
        url=url,
        method="GET",
        user_agent=user_agent,
        kind=RequestKind.PAGE,
        origin=origin_of(url),
        carries_credentials="@" in authority,
    )


def _judge(url: str, bench: Bench) -> tuple[Assessment, tuple[Said, ...]]:
    facts, now_us = page_facts(url, bench.user_agent), time.time_ns() // 1000
    side = bench.sides.get(facts.origin) if facts.origin else None
    readings, files = (side.readings, side.files) if side else (None, None)
    assessment = judge_request(facts, bench.standing, readings, files, now_us=now_us)
    said = said_by_families(facts, bench.standing, side, now_us=now_us, unasked=bench.unasked)
    return assessment, said


def _require_token(name: str) -> None:
    """Raise UsageError for what no group of a robots.txt can name."""
    if name == "*" or is_token(name):
        return
    first = re.split(r"[/ ;(]", name, maxsplit=1)[0]  # of `ExampleBot/1.0 (…)`
    hint = f"; write --agent {first}" if is_token(first) else ""
    raise UsageError(
        f"--agent {name!r}: a product token has letters, '-' and '_' only (RFC 9309 section 2.2.1){hint}"
    )


def _bench_of_file(path: Path, token: str | None, urls: Sequence[str], purposes: Sequence[Purpose]) -> Bench:
    """Return what a given robots.txt says for any token; nothing else is asked."""
    if not token:
        raise UsageError("--robots judges a file for a product token: add --agent TOKEN")
    _require_token(token)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise UsageError(f"{path} is larger than {LARGEST_FILE} octets; robots.txt is read up to 512000")
        body = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    sides: dict[Origin, SiteSide] = {}
    for origin in {origin_of(url) for url in urls} - {None}:
        address = f"{origin}/robots.txt"
        file = read_robots_answer(
            url=address,
            final_url=address,
            status=200,
            headers=(),
            body=body,
            fetched_at=time.time_ns() // 1000,
            hops=0,
            error=None,
        )
        if origin is not None:
            sides[origin] = SiteSide(readings=read_rules(file), files=None)
    intent = Intent(token=token, purposes=frozenset(purposes)) if purposes else None
    standing = Standing(
        token=token,
        loopback_only=False,
        longest_delay=float("inf"),
        matcher=DictMatcher((), ()),
        intent=intent,
        agents=load_ai_agents(),
    )
    rules = tuple(
        rule
        for rule in REQUEST_RULES
        if rule != "piracy" and rule not in FILE_RIGHTS and (intent or rule not in REQUEST_RIGHTS)
    )
    unasked = Unasked(lists="no lists are read for a file", files="the file alone is judged")
    return Bench(standing=standing, user_agent=token, sides=sides, rules=rules, unasked=unasked)


def _bench_of_agent(arguments: Namespace, urls: Sequence[str]) -> Bench:
    """Return what the declared agent would meet; robots.txt is asked for, or taken from the log."""
    # Imported here: `--robots FILE` needs neither Scrapy nor a project.
    from crawler.commands import explain_sites  # noqa: PLC0415

    url = log_url(arguments.log)
    site = explain_sites.load_site(arguments, url)
    origins = sorted({origin for origin in map(origin_of, urls) if origin is not None}, key=str)
    wanted = [origin for origin in origins if not site.stops_before_robots(origin)]
    if arguments.offline:
        sides = explain_sites.said_in_log(site, url, wanted)
        unasked = Unasked(site="its robots.txt is not in the log")
    else:
        sides, unasked = explain_sites.said_by_sites(site, wanted), Unasked()
    return Bench(standing=site.standing, user_agent=site.user_agent, sides=sides, unasked=unasked)


def run(arguments: Namespace) -> int:
    """Judge the URLs and print what was found. Exit code 3 with --exit-code when one would be skipped."""
    urls = list(_urls(arguments.urls))
    if not urls:
        raise UsageError("no URL was given")
    if arguments.at is not None:
        from crawler.commands import explain_at  # noqa: PLC0415 - imports Scrapy

        return explain_at.run(arguments, urls)
    bench = (
        _bench_of_file(arguments.robots, arguments.agent, urls, arguments.purpose or ())
        if arguments.robots is not None
        else _bench_of_agent(arguments, urls)
    )
    skipped = 0
    collected: list[dict[str, object]] = []
    for url in urls:
        assessment, said = _judge(url, bench)
        skipped += not assessment.passes
        if arguments.format is OutputFormat.TABLE:
            print(explanation_text(url, assessment, bench.rules))
            if not arguments.brief:
                print(families_text(said))
            continue
        members = explanation_members(url, assessment, bench.standing.token, bench.rules)
        if not arguments.brief:
            members["families"] = families_members(said)
        if arguments.format is OutputFormat.JSONL:
            print(as_jsonl([members]))
        else:
            collected.append(members)
    if arguments.format is OutputFormat.JSON:
        print(as_json("sekisho.explain/1", {"urls": collected}))
    return ExitCode.FINDINGS if arguments.exit_code and skipped else ExitCode.DONE
