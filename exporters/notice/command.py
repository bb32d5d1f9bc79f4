"""Publish what changed in the declared agents, why, and from when: Atom, HTML (ja + en), JSON.

Reads the policies folder only. Refuses (exit 5) a change that no fragment explains, naming what is missing.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from blocklists.errors import ExitCode, UsageError
from exporters.files import publish_file
from exporters.notice.entries import load_entries, pair_entry
from exporters.notice.render import notice_files
from policies.agents import agent_files, load_agent, read_agent
from policies.console import OutputFormat, render

if TYPE_CHECKING:
    import argparse

    from exporters.notice.entries import NoticeEntry
    from policies.agents import AgentPolicy

HELP = "publish what changed in the declared agents, why, and from when (Atom, HTML, JSON)"
EXAMPLES = (
    "sekisho notice build --policies policies --out public/bot --base-url https://crawler.my-company.jp/bot/",
    "sekisho notice build --from old.toml --to new.toml --out draft",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `sekisho notice`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    build = actions.add_parser("build", help="write the change notice")
    build.add_argument(
        "--policies", default="policies", metavar="DIR", help="folder with agents/ and changes/"
    )
    build.add_argument("--out", required=True, metavar="DIR", help="folder that receives the files")
    build.add_argument(
        "--from", dest="before", metavar="OLD.toml", help="announce one step only: the old file"
    )
    build.add_argument("--to", dest="after", metavar="NEW.toml", help="announce one step only: the new file")
    build.add_argument("--base-url", default="", metavar="URL", help="where the folder will be published")
    build.add_argument("--at", metavar="TIME", help="time of publication, RFC 3339 in UTC (default: now)")
    build.add_argument("--format", choices=[str(value) for value in OutputFormat], default="table")


def _time(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UsageError(f"--at {text!a}: a time such as 2026-12-01T00:00:00Z is needed")
    return moment.astimezone(UTC)


def _base(url: str) -> str:
    if not url:
        return ""
    if not re.fullmatch(r"https?://[^\s\"'<>?#]+", url):
        raise UsageError(f"--base-url {url!a}: an http or https address without query is needed")
    return url if url.endswith("/") else f"{url}/"


def run(arguments: argparse.Namespace) -> int:
    """Build the files and print their names, sizes and digests."""
    now, base_url, folder = _time(arguments.at), _base(arguments.base_url), Path(arguments.policies)
    if (arguments.before is None) != (arguments.after is None):
        raise UsageError("--from and --to go together: name the old and the new file")
    agents: tuple[AgentPolicy, ...]
    entries: tuple[NoticeEntry, ...]
    if arguments.before is not None:
        before, after = read_agent(Path(arguments.before)), read_agent(Path(arguments.after))
        agents = (after.policy,)
        entries = (pair_entry(folder, before, after),)
    else:
        agents = tuple(load_agent(folder, path.stem).policy for path in agent_files(folder))
        entries = load_entries(folder)
    rows = []
    for name, body in notice_files(entries, agents, base_url, now).items():
        published = publish_file(Path(arguments.out), name, body)
        rows.append(
            {"file": str(Path(arguments.out) / name), "octets": published.size, "sha256": published.sha256}
        )
    columns = ("file", "octets", "sha256")
    print(render(OutputFormat(arguments.format), "sekisho.notice/1", "files", columns, rows))
    return ExitCode.DONE
