"""Crawl with everything on, then check the log and publish the disclosure: what `make crawl` runs.

Without an address it serves the demo web of `serve.py` and crawls that; with one, it crawls that site with
the lists and policies of the project's own settings.

    python deploy/demo/crawl.py
    python deploy/demo/crawl.py --url https://www.example.org/ --out out/example
    python deploy/demo/crawl.py -- -s SEKISHO_METRICS_PORT=9410

Everything after `--` goes to `scrapy crawl`. Exit code: that of the first step that failed, else 0; 4 when
the demo web received a request that its own rules forbid.
Runs the public commands and imports nothing of Sekisho.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from serve import DemoWeb

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
DEMO_LISTS = Path(__file__).with_name("blocklists")
FORBIDDEN_WAS_ASKED_FOR = 4  # an integrity failure in the terms of every `sekisho` command


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run: what to crawl, where to write, and what to hand on to Scrapy."""

    urls: tuple[str, ...]
    out: Path
    scrapy_options: tuple[str, ...]
    demo: bool

    @property
    def log(self) -> str:
        """The SQLAlchemy URL of the decision log."""
        return f"sqlite:///{self.out / 'sekisho.db'}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _environment(plan: Plan) -> Mapping[str, str]:
    """Return the children's environment; for the demo without proxies, which know nothing of this machine."""
    environment = {**os.environ, "SEKISHO_LOG": plan.log}
    if plan.demo:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            environment.pop(name, None)
            environment.pop(name.upper(), None)
    return environment


def _run(title: str, command: list[str], plan: Plan) -> int:
    """Run one step with its output on our terminal. Return its exit code, negative signals as 128 + n.

    A terminal sends an interrupt to the step as well as to us, so we leave it to the step, which then ends in
    order; a request to terminate reaches us alone (a container's first process), so we hand it on.
    """
    _say(f"\n── {title}")
    try:
        step = subprocess.Popen(command, cwd=ROOT, env=_environment(plan))  # noqa: S603 - our own commands
    except OSError as error:
        _say(f"crawl: cannot run {command[0]}: {error}. `make crawl` sets everything up.")
        return 1
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: step.terminate())
    # Not in one long wait: a signal that the system gives to the demo web's thread would be seen at its end.
    while (code := step.poll()) is None:
        with suppress(subprocess.TimeoutExpired):
            step.wait(timeout=1)
    return code if code >= 0 else 128 - code


def _steps(plan: Plan) -> list[tuple[str, list[str]]]:
    sekisho = str(Path(sys.executable).with_name("sekisho"))
    crawl = [sys.executable, "-m", "scrapy", "crawl", "site", "-a", f"url={','.join(plan.urls)}"]
    # Warnings, progress and the closing table; `-- -s LOG_LEVEL=INFO` shows the rest.
    crawl += ["-s", f"SEKISHO_LOG={plan.log}", "-s", "LOG_LEVEL=WARNING"]
    crawl += ["-s", "SEKISHO_PROGRESS_SECONDS=1"]
    if plan.demo:
        crawl += ["-s", f"SEKISHO_BLOCKLISTS={DEMO_LISTS}"]
    disclosure = [sekisho, "disclosure", "build", "--log", plan.log, "--out", str(plan.out / "disclosure")]
    return [
        ("scrapy crawl site", [*crawl, *plan.scrapy_options]),
        ("sekisho log verify", [sekisho, "log", "verify", "--log", plan.log]),
        ("sekisho disclosure build", disclosure),
    ]


def _report_visits(web: DemoWeb) -> int:
    """Say what the server received, and fail when a forbidden address is among it."""
    received = web.received
    trespasses = sorted(set(received) & web.forbidden)
    listed = [visit for visit in web.access.visits if visit.host in web.listed_hosts]
    agents = ", ".join(sorted({visit.user_agent for visit in web.access.visits})) or "nobody"
    _say(f"\n── What the demo web saw: {len(received)} requests from {agents}")
    _say(f"   forbidden addresses asked for: {len(trespasses)} of {len(web.forbidden)}")
    _say(f"   requests to listed domains:    {len(listed)}")
    for url in trespasses:
        _say(f"   FORBIDDEN  {url}")
    return FORBIDDEN_WAS_ASKED_FOR if trespasses or listed else 0


def _run_all(plan: Plan) -> int:
    for title, command in _steps(plan):
        code = _run(title, command, plan)
        if code:
            _say(f"crawl: `{title}` ended with exit code {code}; its own message stands above.")
            return code
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n", 1)[0], epilog="Everything after `--` goes to `scrapy crawl`."
    )
    parser.add_argument("--url", default="", help="a site, or several with commas; default: the demo web")
    parser.add_argument("--out", type=Path, help="folder for log and disclosure (default: out/<time>)")
    parser.add_argument("scrapy_options", nargs="*", metavar="-- OPTION", help="options of `scrapy crawl`")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the three steps and name what they wrote."""
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    out = options.out or ROOT / "out" / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    out = out.resolve()
    try:
        out.mkdir(parents=True, exist_ok=True)
        web = None if options.url else DemoWeb(access_log=out / "access.jsonl")
    except OSError as error:
        _say(f"crawl: cannot write to {out}: {error}. Choose another folder with --out.")
        return 1
    with web or nullcontext():
        plan = Plan(
            urls=tuple(web.start_urls if web else options.url.split(",")),
            out=out,
            scrapy_options=tuple(options.scrapy_options),
            demo=web is not None,
        )
        code = _run_all(plan)
        if web is not None:
            code = _report_visits(web) or code
    _say("\n── Files")
    # What the database keeps beside itself (journal, write-ahead log) is its own affair.
    beside = {f"sekisho.db-{kind}" for kind in ("journal", "wal", "shm")}
    for path in sorted(path for path in out.rglob("*") if path.is_file() and path.name not in beside):
        print(path)
    return code


if __name__ == "__main__":
    sys.exit(main())
