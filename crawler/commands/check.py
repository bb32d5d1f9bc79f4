"""Check whether everything is in place for a crawl, and say what is wrong, with file and line.

Looks at agent files, change fragments, block lists, the log's place and, inside a Scrapy project, at the
settings that a crawl would have; writes nothing unless `--init` is given. Safe in continuous integration:
no network, no question without a terminal. Imports Scrapy only inside a Scrapy project.
Exit code 0 when a crawl can start, 3 with `--strict` when something is worth a look, 5 when it cannot.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from blocklists.errors import ExitCode
from blocklists.refresh_plan import REFUSE_DAYS, WARN_DAYS
from crawler.commands.check_custody import check_custody
from crawler.commands.check_init import add_init_arguments, initialise
from crawler.commands.check_parts import (
    Check,
    Status,
    check_agents,
    check_changes,
    check_lists,
    check_log,
    check_profile,
    check_waivers,
)
from policies.console import OutputFormat, as_json, as_jsonl, one_of, table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from crawler.commands.check_project import Project

HELP = "is everything in place for a crawl? agent files, lists, waivers, log, settings, with file and line"
EXAMPLES = (
    "sekisho check                                       # in a Scrapy project or a repository",
    "sekisho check --strict --format json                # in continuous integration",
    "sekisho check --init --token MyBot --contact https://crawler.my-company.jp/bot",
)
SCHEMA = "sekisho.check/1"
_MARKS = {Status.OK: "ok", Status.NOTE: "note", Status.WARNING: "WARNING", Status.ERROR: "ERROR"}
_DEFAULTS = {
    "SEKISHO_LISTS_WARN_DAYS": str(WARN_DAYS),
    "SEKISHO_LISTS_REFUSE_DAYS": str(REFUSE_DAYS),
    "SEKISHO_AGENT": "",
    "SEKISHO_PROFILE": "default",
    "SEKISHO_WAIVERS_FILE": "",
    "SEKISHO_POLICIES": "policies",
    "SEKISHO_BLOCKLISTS": "lists",
    "SEKISHO_LOG": "sqlite:///sekisho.db",
    "SEKISHO_LOG_KEY_FILE": "",
    "SEKISHO_LOG_CHECKPOINT_FILE": "",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `sekisho check`."""
    parser.add_argument("--policies", metavar="DIR", help="folder with agents/ and changes/")
    parser.add_argument("--agent", metavar="TOKEN", help="check this agent only")
    parser.add_argument("--blocklists", metavar="DIR", help="folder with the block lists")
    parser.add_argument("--waivers", metavar="FILE", help="waiver file (default: SEKISHO_WAIVERS_FILE)")
    parser.add_argument("--log", metavar="URL", help="SQLAlchemy URL of the decision log")
    parser.add_argument(
        "--format", type=one_of(OutputFormat), choices=list(OutputFormat), default=OutputFormat.TABLE
    )
    parser.add_argument("--strict", action="store_true", help="exit 3 when there are warnings")
    add_init_arguments(parser)


def _find_project(folder: Path) -> Path | None:
    """Return the nearest `scrapy.cfg`, looking upwards as Scrapy does."""
    for place in (folder, *folder.parents):
        if (place / "scrapy.cfg").is_file():
            return place / "scrapy.cfg"
    return None


def _choice(name: str, option: str | None, project: Project | None, environment: Mapping[str, str]) -> str:
    """Return a value: the option, else the project's setting, else the default.

    The log alone may also come from the environment, as for every command that reads a log.
    """
    if option:
        return option
    if name == "SEKISHO_LOG" and environment.get(name):
        return environment[name]
    return (project.value(name) if project else "") or _DEFAULTS[name]


def _report(checks: Sequence[Check], output: OutputFormat) -> str:
    rows = [
        {"status": check.status.value, "part": check.part, "place": check.place, "message": check.message}
        for check in checks
    ]
    if output is OutputFormat.JSON:
        return as_json(SCHEMA, {"findings": rows})
    if output is OutputFormat.JSONL:
        return as_jsonl(rows)
    lines = [(_MARKS[check.status], check.part, check.place, check.message) for check in checks]
    return table(("", "PART", "PLACE", "MESSAGE"), lines)


def _verdict(checks: Sequence[Check], *, strict: bool) -> tuple[ExitCode, str]:
    errors = sum(check.status is Status.ERROR for check in checks)
    warnings = sum(check.status is Status.WARNING for check in checks)
    if errors:
        return ExitCode.REFUSED, f"a crawl would not start: {errors} error(s), {warnings} warning(s)"
    if warnings:
        code = ExitCode.FINDINGS if strict else ExitCode.DONE
        return code, f"a crawl can start; {warnings} warning(s) to look at"
    return ExitCode.DONE, "a crawl can start"


def run(arguments: argparse.Namespace) -> int:
    """Check everything once and print the findings; the summary goes to standard error."""
    import sys  # noqa: PLC0415 - the stream is looked up when it is used, so that it can be replaced

    if arguments.init:
        return initialise(arguments, Path.cwd())
    now = datetime.now(UTC)
    configuration = _find_project(Path.cwd())
    project: Project | None = None
    if configuration is not None:
        # Scrapy takes half a second to import and is needed for its own settings only.
        from crawler.commands.check_project import load_project  # noqa: PLC0415

        project = load_project(configuration)

    def choose(name: str, option: str | None) -> str:
        return _choice(name, option, project, os.environ)

    policies = Path(choose("SEKISHO_POLICIES", arguments.policies))
    token = choose("SEKISHO_AGENT", arguments.agent) or None
    log = choose("SEKISHO_LOG", arguments.log)
    checks = [
        *check_agents(policies, token, now.date()),
        *check_changes(policies, token, now.date()),
        *check_lists(
            Path(choose("SEKISHO_BLOCKLISTS", arguments.blocklists)),
            now,
            warn_days=choose("SEKISHO_LISTS_WARN_DAYS", None),
            refuse_days=choose("SEKISHO_LISTS_REFUSE_DAYS", None),
        ),
        *check_profile(choose("SEKISHO_PROFILE", None)),
        *check_waivers(choose("SEKISHO_WAIVERS_FILE", arguments.waivers), now.date()),
        *check_log(log),
        *check_custody(
            log, choose("SEKISHO_LOG_KEY_FILE", None), choose("SEKISHO_LOG_CHECKPOINT_FILE", None)
        ),
        *(project.checks() if project else ()),
    ]
    print(_report(checks, arguments.format))
    code, summary = _verdict(checks, strict=arguments.strict)
    sys.stderr.write(f"sekisho: {summary}\n")
    return code
