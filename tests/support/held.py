"""A server that holds its answers back, and a crawl whose words are waited for: states that no clock decides."""

from __future__ import annotations

import asyncio
import subprocess
import time
from typing import TYPE_CHECKING

from loopback import Crawl

if TYPE_CHECKING:
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


def ended(project: Project, process: subprocess.Popen[str]) -> Crawl:
    """Return what a crawl came to that ends with exit 0. AssertionError where it does not."""
    try:
        _, stderr = process.communicate(timeout=HUNG_S)
    except subprocess.TimeoutExpired:
        raise _hung(process) from None
    assert process.returncode == 0, stderr[-3000:]
    return Crawl(process.returncode, "", stderr, project.folder, project.records())


def read_until(process: subprocess.Popen[str], words: str) -> None:
    """Return when a crawl has written these words to stderr. AssertionError where it ends before, or hangs."""
    _wait(process, lambda stderr: words in stderr, f"without {words!r}")


def until(process: subprocess.Popen[str], condition: Callable[[], object]) -> None:
    """Return when a condition holds, while a crawl runs. AssertionError where it ends before, or hangs."""
    _wait(process, lambda _: condition(), "too early")


def until_recorded(process: subprocess.Popen[str], project: Project, reason: str) -> None:
    """Return when the log of a running crawl has a record with this reason; see `until`."""
    until(process, lambda: any(one.reason == reason for one in project.records()))


def _wait(process: subprocess.Popen[str], holds: Callable[[str], object], how: str) -> None:
    """Return when something holds of what a crawl wrote to stderr.

    Its pipes are read meanwhile: one that is full stops whoever writes. `communicate` loses nothing of them.
    """
    end = time.monotonic() + HUNG_S
    stderr = ""
    while not holds(stderr):
        if time.monotonic() > end:
            raise _hung(process)
        try:
            stderr = process.communicate(timeout=0.02)[1]
        except subprocess.TimeoutExpired as running:
            stderr = (running.stderr or b"").decode("utf-8", "replace")
        else:
            assert holds(stderr), f"the crawl ended {how}:\n{stderr[-3000:]}"
            return


def _hung(process: subprocess.Popen[str]) -> AssertionError:
    process.kill()
    return AssertionError(f"the crawl hung:\n{process.communicate()[1][-3000:]}")
