"""Calms Python's cyclic collector for the length of a crawl, and collects by what a crawl holds instead.

What exists when a crawl begins (settings, lists, the suffix list, code) lives as long as it, and a page
makes thousands of short-lived objects that reference counting frees: at the default threshold the collector
takes up to a third of a crawl's time in walking them. What really is garbage are answers, since a page that
was read with selectors refers to itself. So the crawl counts answers and their octets and has them collected.
What was in use at that moment moves on to the oldest, of which Python never thinks by itself while the young
stay below the threshold: every few rounds, therefore, all that the crawl made is looked through.
Measured with `tests/benchmarks/bench_crawl.py`, whose `--plain-gc` shows the figures without this.
"""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

YOUNG_OBJECTS: Final = 100_000
"""Collections of the young begin by themselves at this many; memory for it is about ten megabytes."""
ANSWERS: Final = 256
OCTETS: Final = 32 * 1024 * 1024
"""Answers, or octets of them, after which what they left is collected; a parsed page is larger still."""
ROUNDS: Final = 8
"""Collections of what answers left, after which the old are collected too."""
SHARE: Final = 100
"""Processor time lies between two collections of the old by as many times as one takes: they cost one part in
a hundred, however much waits in the scheduler."""
_YOUNG_AND_MIDDLE: Final = 1

_calm = 0
_found: tuple[int, int, int] = gc.get_threshold()


class Collector:
    """The collector of one crawl; `calm` and `restore` are called once each, in this order.

    `clock` gives seconds of processor time.
    """

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        self._clock = clock
        self._answers = 0
        self._octets = 0
        self._rounds = 0
        self._not_before = float("-inf")

    def calm(self) -> None:
        """Set aside what exists now, and raise the threshold until the last crawl restores it."""
        global _calm, _found  # noqa: PLW0603 - the collector is the process's
        gc.collect()
        gc.freeze()
        if not _calm:
            _found = gc.get_threshold()
            gc.set_threshold(max(YOUNG_OBJECTS, _found[0]), *_found[1:])
        _calm += 1

    def answered(self, octets: int) -> None:
        """Count an answer of so many octets, 0 for none; now and then collect what others before it left."""
        self._answers += 1
        self._octets += octets
        if self._answers >= ANSWERS or self._octets >= OCTETS:
            self._answers = self._octets = 0
            if gc.isenabled():
                self._collect()

    def _collect(self) -> None:
        self._rounds += 1
        if self._rounds < ROUNDS or (begin := self._clock()) < self._not_before:
            gc.collect(_YOUNG_AND_MIDDLE)
            return
        gc.collect()
        end = self._clock()
        self._rounds = 0
        self._not_before = end + SHARE * (end - begin)

    def restore(self) -> None:
        """Put the threshold back as it was found, when no other crawl needs it."""
        global _calm  # noqa: PLW0603 - as above
        _calm -= 1
        if not _calm:
            gc.set_threshold(*_found)
            gc.unfreeze()
