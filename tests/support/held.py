"""A server that holds its answers back, and a crawl whose words are waited for: states that no clock decides."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from loopback import Project, Received, Reply, Web

HUNG_S = 120.0


class Held:
    """An answer that is held back until `release`; the first `free` of those who ask get it at once."""

    def __init__(self, web: Web, reply: Reply, *, free: int = 0) -> None:
        self.waiting: list[Received] = []
        self._web = web
        self._reply = reply
        self._free = free
        self._released = asyncio.Event()

    async def __call__(self, asked: Received) -> Reply:
        """Answer in the server's thread."""
        if self._free > 0:
            self._free -= 1
        else:
            self.waiting.append(asked)
            await self._released.wait()
        return self._reply

    def release(self) -> None:
        """Answer all who wait, and whoever comes."""
        self._web.soon(self._released.set)


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Return what a crawl wrote to stderr up to the line with these words. AssertionError where it ends before.

    `communicate` gives what comes after.
    """
    assert process.stderr is not None
    lines: list[str] = []
    for line in iter(process.stderr.readline, ""):
        lines.append(line)
        if words in line:
            return "".join(lines)
    raise AssertionError(f"the crawl ended without {words!r}:\n{''.join(lines)[-3000:]}")


def until(process: subprocess.Popen[str], condition: Callable[[], object]) -> None:
    """Return when a condition holds, while a crawl runs. AssertionError where the crawl ends before."""
    end = time.monotonic() + HUNG_S
    while not condition():
        assert process.poll() is None, process.communicate()[1][-3000:]
        if time.monotonic() > end:
            process.kill()
            raise AssertionError(f"the crawl hung:\n{process.communicate()[1][-3000:]}")
        time.sleep(0.02)


def until_recorded(process: subprocess.Popen[str], project: Project, reason: str) -> None:
    """Return when the log of a running crawl has a record with this reason; see `until`."""
    until(process, lambda: any(one.reason == reason for one in project.records()))
