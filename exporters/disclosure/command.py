"""Publish the crawler disclosure, computed from the decision log and the declared policies.

`build` writes, for each agent, HTML, Markdown (ja + en), JSON and domains.csv, and one index.json over all.
Exit codes: 3 when the log contradicts a claim (the files are written, and say so), 4 when the log was altered
and 5 when there is nothing to disclose or something is invalid (nothing is written then).
"""

from __future__ import annotations

import hashlib
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from blocklists.errors import ExitCode, UsageError
from crawler.decisionlog.location import log_url
from exporters.disclosure.claims import Status
from exporters.disclosure.config import load_config
from exporters.disclosure.document import EmptyLogError, agents_in, build_disclosure
from exporters.disclosure.figures import Scope
from exporters.disclosure.logview import LogView
from exporters.disclosure.publication import FILE_NAMES, encode_index, render_files
from exporters.disclosure.sources import Verification
from exporters.disclosure.wording import LANGUAGES
from exporters.files import PublishedFile, publish_file, withdraw_file
from policies.agents import agent_files
from policies.agents_model import TOKEN_PATTERN
from policies.console import OutputFormat, render

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from exporters.disclosure.document import Disclosure

HELP = "publish what the crawler did, computed from the log (HTML ja + en, Markdown, JSON, CSV)"
EXAMPLES = (
    "sekisho disclosure build --out public/bot/disclosure/2026-11-22",
    "sekisho disclosure build --agent DemoBot --from 2026-07-01 --to 2026-12-31 --config disclosure.toml",
    "sekisho disclosure show --agent DemoBot",
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
POLICIES = "policies"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `sekisho disclosure`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    build = actions.add_parser("build", help="write the disclosure")
    show = actions.add_parser("show", help="print the figures and the claims, each with its query")
    for action in (build, show):
        action.add_argument(
            "--log", metavar="URL", help="decision log (default: SEKISHO_LOG, then the project's)"
        )
        action.add_argument(
            "--policies", metavar="DIR", help="folder with agents/ (default: policies, when there is one)"
        )
        action.add_argument(
            "--agent", metavar="TOKEN", help="one agent only (default: every agent in the log)"
        )
        action.add_argument("--from", dest="since", metavar="TIME", help="first day, or time, in UTC")
        action.add_argument(
            "--to", dest="until", metavar="TIME", help="last day (included), or time (excluded)"
        )
        action.add_argument(
            "--sme", action="store_true", help="domain list by the EU template's rule for SMEs"
        )
        action.add_argument(
            "--config", metavar="FILE", help="disclosure.toml: what only the operator can say"
        )
    build.add_argument(
        "--out", default="disclosure", metavar="DIR", help="folder for the files (default: disclosure)"
    )
    build.add_argument(
        "--lang", default="ja,en", metavar="LIST", help="languages of the pages (default: ja,en)"
    )
    build.add_argument("--at", metavar="TIME", help="time of generation in UTC (default: now)")
    show.add_argument("--format", choices=[str(value) for value in OutputFormat], default="table")


def _microseconds(text: str, option: str, *, end: bool = False) -> int:
    """Return UTC microseconds of a day or an RFC 3339 time; the end of the day for `end`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or (moment.tzinfo is None and not _DAY.fullmatch(text)):
        raise UsageError(
            f"{option} {text!a}: a day such as 2026-11-22 or a time such as 2026-11-22T00:00:00Z"
        )
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if end and _DAY.fullmatch(text):
        moment += timedelta(days=1)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _languages(text: str) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [language for language in chosen if language not in LANGUAGES]
    if unknown or not chosen:
        raise UsageError(f"--lang {text!a}: choose from {', '.join(LANGUAGES)}")
    return chosen


def _declared_digests(folder: str | None) -> frozenset[str] | None:
    """Return the digests of the declared agent files, present and past; None when there is no folder."""
    if folder is None and not (Path(POLICIES) / "agents").is_dir():
        return None
    place = Path(folder or POLICIES)
    history = sorted((place / "agents" / "history").rglob("*.toml"))
    return frozenset(
        hashlib.sha256(path.read_bytes()).hexdigest() for path in (*agent_files(place), *history)
    )


def _agents(log: LogView, wanted: str | None) -> tuple[str, ...]:
    found = agents_in(log)
    if not found:
        raise EmptyLogError("the log holds no decision, so there is nothing to disclose; crawl first")
    for agent in found:
        if not re.fullmatch(TOKEN_PATTERN, agent):
            raise EmptyLogError(
                f"the log names the agent {agent!a}, which is no product token; nothing is published"
            )
    if wanted is None:
        return found
    matching = tuple(agent for agent in found if agent.lower() == wanted.lower())
    if not matching:
        raise EmptyLogError(f"the log holds no decision of {wanted!a}; agents in it: {', '.join(found)}")
    return matching


def _compute(arguments: argparse.Namespace, *, generated_us: int, verify: bool) -> list[Disclosure]:
    config = load_config(Path(arguments.config) if arguments.config else None)
    published = _declared_digests(arguments.policies)
    with LogView.open(log_url(arguments.log)) as log:
        since = _microseconds(arguments.since, "--from") if arguments.since else None
        until = _microseconds(arguments.until, "--to", end=True) if arguments.until else log.end_us()
        checked = (
            log.verify() if verify else Verification(verified=False, records=0, segments=0, problem="show")
        )
        return [
            build_disclosure(
                log,
                Scope(agent=agent, since_us=since, until_us=until),
                segments=log.segments(),
                verification=checked,
                published=published,
                config=config,
                generated_us=generated_us,
                sme=arguments.sme,
            )
            for agent in _agents(log, arguments.agent)
        ]


def _build(arguments: argparse.Namespace) -> int:
    languages = _languages(arguments.lang)
    now = datetime.now(UTC).replace(microsecond=0)
    generated_us = (
        _microseconds(arguments.at, "--at") if arguments.at else (now - _EPOCH) // timedelta(microseconds=1)
    )
    documents = _compute(arguments, generated_us=generated_us, verify=True)
    out = Path(arguments.out)
    rendered = [(document, render_files(document, languages)) for document in documents]
    written: list[tuple[str, PublishedFile]] = []
    for document, files in rendered:
        folder = document.agent.lower()
        for name in FILE_NAMES:
            if name in files:
                written.append((folder, publish_file(out / folder, name, files[name])))
            elif withdraw_file(out / folder, name):
                print(f"sekisho: removed the earlier {out / folder / name}", file=sys.stderr)
    index = encode_index(documents, written)
    publish_file(out, "index.json", index)
    for folder, file in written:
        print(out / folder / file.name)
    print(out / "index.json")
    return _conclude(documents)


def _conclude(documents: Sequence[Disclosure]) -> int:
    """Say which claims are contradicted, and return the exit code."""
    contradicted = [claim for document in documents for claim in document.contradicted]
    for claim in contradicted:
        print(f"sekisho: the log contradicts a claim of {claim.agent}: {claim.id}", file=sys.stderr)
    return ExitCode.FINDINGS if contradicted else ExitCode.DONE


def _show(arguments: argparse.Namespace) -> int:
    documents = _compute(arguments, generated_us=0, verify=False)
    rows: list[dict[str, object]] = []
    for document in documents:
        for claim in document.claims:
            found = sum(test.found.number for test in claim.tests)
            rows.append(
                {
                    "figure": f"{document.agent}.claim.{claim.id}",
                    "value": claim.status.value
                    if claim.status is not Status.CONTRADICTED
                    else f"contradicted ({found})",
                    "query": "",
                }
            )
        for figure in document.figures.values():
            single = len(figure.columns) == 1 and len(figure.rows) == 1
            rows.append(
                {
                    "figure": figure.id,
                    "value": figure.value if single else f"{len(figure.rows)} rows",
                    "query": " ".join(figure.statement.split()),
                }
            )
    columns = ("figure", "value", "query")
    print(render(OutputFormat(arguments.format), "sekisho.figures/1", "figures", columns, rows))
    return ExitCode.FINDINGS if any(document.contradicted for document in documents) else ExitCode.DONE


def run(arguments: argparse.Namespace) -> int:
    """Do what `sekisho disclosure ACTION` asks and return the exit code."""
    return _build(arguments) if arguments.action == "build" else _show(arguments)
