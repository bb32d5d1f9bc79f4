"""Who may go next: the pace that sites asked for, kept per origin and per registrable domain.

This is the interface; `pace_local.py` keeps it within one process, and a shared store can stand in its place
(put it into `Checkpoint.of(crawler).pace.pacer` before the engine starts). How long a wait is after trouble
is decided in `pace_backoff.py`, what the scheduler makes of it in `pace_gate.py`; this only keeps it.

A delay that a site asks for counts from the end of the previous exchange, so that the gap that the server
sees is never shorter than what it asked for, whatever the connections do; one request is then under way at a
time. Hosts of one registrable domain that ask for delays share one lane: between two requests to any of them
lies at least the smallest of their delays, and a host of theirs whose robots.txt was not read yet does as
they do. The operator's own delay counts from start to start, for the origin and for the domain.
A hold (Retry-After, RFC 9110 section 10.2.3; back-off; hours) stops also what has its turn already and was
not sent yet; one for longer than the policy's cap is not waited for (`LeftAlone`).
Decides nothing about what may be fetched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from policies.vocabulary import Origin

LEAD = 0.05
"""A turn is given this many seconds before the request may be sent: its decision is written meanwhile."""
SHORT = 1.0
"""Seconds for which a request may stand at the door with its permit; for longer it is judged anew after."""
DRIFT = 0.001
"""Waits are longer by this part, since the site's clock and ours do not run equally fast (500 ppm each)."""


class LeftAlone(Exception):  # noqa: N818 - an answer, not a failure
    """The site asked to be left alone for longer than this crawl waits: `seconds` from now, and its words."""

    def __init__(self, seconds: float, why: str = "") -> None:
        super().__init__(f"the site asked to be left alone for {seconds:.0f} s more")
        self.seconds = seconds
        self.why = why


class Postponed(Exception):  # noqa: N818 - an answer, not a failure
    """A request that was about to leave has to wait `seconds`, and is to be judged anew after that."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the site asked for a pause of {seconds:.1f} s")
        self.seconds = seconds


class Outlook(NamedTuple):
    """What is to be expected of an origin.

    `wait` is in seconds, 0 when a request could go now; `alone` says that its requests go one at a time,
    `shared` that it has its turns in common with others of its registrable domain.
    """

    wait: float
    alone: bool
    shared: bool


FREE = Outlook(0.0, alone=False, shared=False)


class Turn(Protocol):
    """Leave to go once; given back when the exchange has ended, however it ended."""

    @property
    def left_at(self) -> float | None:
        """When the request left, by the pacer's clock; None as long as it did not."""

    async def leave(self) -> None:
        """Return at the moment at which the request may be sent. Raises LeftAlone or Postponed."""

    def done(self) -> None:
        """Give the turn back. Doing it twice is harmless."""


class Pacer(Protocol):
    """What a pace keeper offers; a shared store can stand behind it when several processes crawl.

    `on_change` is told of origins that may go earlier than `outlook` said.
    """

    on_change: Callable[[Origin], None] | None

    def learn(self, origin: Origin, delay: float) -> None:
        """Remember the delay in seconds that an origin asks for; it replaces what it asked before."""

    def hold(self, origin: Origin, seconds: float, why: str = "", *, whole_domain: float = 0.0) -> None:
        """Let nothing go to an origin for that long from now, and to its registrable domain as long as said.

        `why` are the words of the site. A hold never shortens another.
        """

    def outlook(self, origin: Origin, *, own: float = 0.0) -> Outlook | None:
        """Return what is to be expected, or None as long as nothing was learnt of an origin. Never waits."""

    def turn_now(self, origin: Origin, *, own: float = 0.0, alone: bool = False) -> Turn | None:
        """Return a turn if one is to be had without waiting; see `turn`."""

    async def turn(self, origin: Origin, *, own: float = 0.0, alone: bool = False) -> Turn:
        """Return when a request is to be made ready; `own` is the operator's delay in seconds.

        `alone`: no other request to this origin may be under way. Raises LeftAlone.
        """
