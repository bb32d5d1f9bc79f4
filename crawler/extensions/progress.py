"""Progress: a live line while the crawl runs, and a table when it ends. Standard error only.

With the `rich` extra and a terminal the line is redrawn in place; otherwise a plain line is written every
`SEKISHO_PROGRESS_SECONDS`. Numbers come from the tally; the log is the record.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from scrapy import signals
from scrapy.utils.asyncio import create_looping_call

from crawler.checkpoint import Checkpoint
from crawler.decisionlog.place import shown_url

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator
    from typing import Self

    from scrapy.crawler import Crawler
    from scrapy.utils.asyncio import AsyncioLoopingCall
    from twisted.internet.task import LoopingCall

    from crawler.tally import Tally

WIDEST = 110


def progress_line(tally: Tally, queued: int, seconds: float) -> str:
    """Return the state of a crawl in one line."""
    rate = tally.fetched / seconds if seconds > 0 else 0.0
    skipped = sum(tally.skipped.values())
    return (
        f"sekisho: {tally.fetched} fetched, {tally.kept} kept, {skipped} skipped, {tally.failed} failed, "
        f"{queued} queued, {rate:.1f}/s"
    )


def _printable(text: str, width: int) -> str:
    """Return text for a terminal: what a site sent must not move the cursor."""
    clean = "".join(character if character.isprintable() else "�" for character in text)
    return clean if len(clean) <= width else clean[: width - 1] + "…"


def closing_table(tally: Tally, *, run_id: str, log: str) -> str:
    """Return what happened: totals, then each reason with examples and the words that decided."""
    before = tally.skipped - tally.answered
    lines = [
        "",
        f"Run {run_id}",
        f"  fetched   {tally.fetched:>6}   requests that left (robots.txt read {tally.robots_files} times)",
        f"  kept      {tally.kept:>6}   pages handed to the spider, {tally.kept_bytes:,} octets",
        f"  failed    {tally.failed:>6}   left, and no answer came",
        f"  not asked {before.total():>6}   refused before a request{':' if before else ''}",
        *_reasons(before, tally),
        f"  not kept  {tally.answered.total():>6}   answered, body dropped{':' if tally.answered else ''}",
        *_reasons(tally.answered, tally),
        "",
        f"  Every decision: sekisho log show {run_id} --log {log}",
        "",
    ]
    return "\n".join(lines)


def _reasons(counts: Counter[str], tally: Tally) -> Iterator[str]:
    """Yield each reason with its count, its first examples and the words that decided."""
    for reason, count in counts.most_common():
        yield f"    {reason:<26} {count:>6}"
        for example in tally.examples.get(reason, ()):
            yield f"        {_printable(example.url, WIDEST)}"
            if example.where:
                yield f"            {_printable(example.where, WIDEST)}"


class Progress:
    """See the module."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._checkpoint = Checkpoint.of(crawler)
        self._out: TextIO = sys.stderr
        self._redraw = self._out.isatty() and not os.environ.get("NO_COLOR")
        self._ticks = 0
        self._task: AsyncioLoopingCall | LoopingCall | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build it for a guarded crawl."""
        progress = cls(crawler)
        if Checkpoint.of(crawler).config.progress:
            crawler.signals.connect(progress.spider_opened, signal=signals.spider_opened)
            crawler.signals.connect(progress.engine_stopped, signal=signals.engine_stopped)
        return progress

    def spider_opened(self) -> None:
        """Begin."""
        self._task = create_looping_call(self._tick)
        self._task.start(self._checkpoint.config.progress_seconds, now=False)

    def _tick(self) -> None:
        self._ticks += 1
        scheduler = getattr(getattr(self._crawler.engine, "_slot", None), "scheduler", None)
        queued = len(scheduler) if scheduler is not None else 0
        seconds = self._ticks * self._checkpoint.config.progress_seconds
        line = progress_line(self._checkpoint.tally, queued, seconds)
        self._out.write(f"\r\x1b[2K{line}" if self._redraw else f"{line}\n")
        self._out.flush()

    def engine_stopped(self) -> None:
        """Draw the closing table."""
        if self._task is not None and self._task.running:
            self._task.stop()
        checkpoint = self._checkpoint
        log = shown_url(checkpoint.config.log)
        table = closing_table(checkpoint.tally, run_id=checkpoint.run_id, log=log)
        self._out.write(("\r\x1b[2K" if self._redraw else "") + table)
        self._out.flush()
