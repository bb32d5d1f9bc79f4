"""Writes down what tripped the wire: one record each, counted beyond a bound, and told to the operator.

What was refused is a refusal like any other (stage request, reason `tripwire`), so that every export shows
it; what was only noted is a note on the run with a document. Trips happen in any thread, and also before
there is a loop; they are written in the loop's thread, or when the process ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import rfc8785

from blocklists.errors import SekishoError
from crawler.decisionlog.record import Document
from policies.vocabulary import Action, Evidence, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from crawler.checkpoint import Checkpoint
    from crawler.tripwire_words import Trip

logger = logging.getLogger(__name__)
SCHEMA: Final = "sekisho.tripwire/1"
RULE: Final = "tripwire"
MOST_RECORDS: Final = 1_000  # of one run; a loop that keeps trying must not fill the disk
MOST_WAITING: Final = 100_000


class Trips:
    """The trips of one crawl. `heard` may be called from any thread, everything else from the loop's."""

    def __init__(self, checkpoint: Checkpoint, count: Callable[[str], None]) -> None:
        self._checkpoint = checkpoint
        self._count = count
        self._waiting: deque[Trip] = deque(maxlen=MOST_WAITING)
        self._loop: asyncio.AbstractEventLoop | None = None
        self.counted: Counter[str] = Counter()

    def begin(self) -> None:
        """Write from now on as soon as something trips; call it in the loop's thread."""
        self._loop = asyncio.get_running_loop()
        self.drain()

    def heard(self, trip: Trip) -> None:
        """Take a trip from whatever thread it happened in."""
        self._waiting.append(trip)
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: the process ends, and `drain` is called then
                self._loop.call_soon_threadsafe(self.drain)

    def drain(self) -> None:
        """Write what is waiting."""
        while self._waiting:
            trip = self._waiting.popleft()
            self.counted[trip.means.value] += 1
            self._count("sekisho/tripwire/refused" if trip.refused else "sekisho/tripwire/noted")
            if self.counted.total() > MOST_RECORDS:
                continue
            logger.warning(
                "Sekisho: %s to %s past the door, %s, by %s",
                trip.means.value,
                trip.target,
                "refused" if trip.refused else "noted",
                trip.where,
            )
            with suppress(SekishoError):  # the log failed or is closed: the crawl stops, or has ended
                self._write(trip)

    def _write(self, trip: Trip) -> None:
        if trip.refused:
            evidence = Evidence(
                source="tripwire", text=f"{trip.means.value} to {trip.target}", note=f"by {trip.where}"
            )
            verdict = Verdict(rule=RULE, action=Action.SKIP, reason=Reason.TRIPWIRE, evidence=(evidence,))
            self._checkpoint.record.tripped(verdict, trip.host)
            self._checkpoint.tally.skip(verdict, trip.target)
            return
        members = {
            "schema": SCHEMA,
            "run": self._checkpoint.run_id,
            "means": trip.means.value,
            "target": trip.target,
            "by": trip.where,
        }
        self._checkpoint.record.noticed(
            Reason.TRIPWIRE,
            Document(kind="tripwire", body=rfc8785.dumps(members)),
        )
