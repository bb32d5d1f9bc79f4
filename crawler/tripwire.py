"""Tripwire: notices what this process opens without the door, by Python's audit events (PEP 578).

The door governs what Scrapy sends. Code in a callback can open a socket of its own, look up a name, start a
program or load a library; `sys.addaudithook` sees these (https://peps.python.org/pep-0578/, events in
https://docs.python.org/3/library/audit_events.html). What belongs to a request that the door let out is known
by where it comes from: Twisted's connections by a factory that the door signed, asyncio's by the context of
the request. Everything else trips the wire: it is refused with EACCES (or only noted, when the operator set
that), counted, and told to whoever writes the log.

A tripwire and not a wall: sockets that are opened in C (uvloop, curl, libpq, a loaded library) raise no
event, nor does what a program does that was started, nor code that takes this module apart. README says so.
Imports no Scrapy. Judges no site and reads no clock.
"""

from __future__ import annotations

import ctypes  # noqa: F401 - loaded before the wire is up: it opens the interpreter's own symbols on import
import errno
import os
import socket
import sys
import threading
from collections import OrderedDict, deque
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from crawler.tripwire_words import (
    WATCHED,
    Destination,
    Means,
    Mode,
    Trip,
    bare_name,
    is_address,
    place_of,
    stays_here,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType


_NETWORK: Final = frozenset((Means.CONNECTION, Means.DATAGRAM, Means.NAME))
REMEMBERED_NAMES: Final = 50_000
REMEMBERED_ADDRESSES: Final = 1_000
KEPT_BEFORE_A_LOG: Final = 1_000
_TWISTED: Final = "twisted.internet.tcp"
_DEEPEST_FACTORY: Final = 8


class Errand:
    """One permitted request on its way: its host (a proxy's, where one is used) and port."""

    __slots__ = ("host", "open", "port", "tried")

    def __init__(self, host: str, port: int) -> None:
        self.host = bare_name(host)
        self.port = port
        self.open = True
        self.tried: set[str] = set()  # each address once: a second connection is somebody else's


_errand: ContextVar[Errand | None] = ContextVar("sekisho_errand", default=None)


def _innermost_is_signed(client: Any, signed: WeakSet[Any]) -> bool:  # noqa: ANN401 - Twisted's objects
    """Whether the factory that a Twisted connection works for, under its wrappers, was signed."""
    factory: Any = getattr(getattr(client, "connector", None), "factory", None)
    for _ in range(_DEEPEST_FACTORY):
        if factory is None:
            return False
        if factory in signed:
            return True
        factory = getattr(factory, "_wrappedFactory", None) or getattr(factory, "wrappedFactory", None)
    return False


class Tripwire:
    """See the module. One for the process: `tripwire()` returns it."""

    def __init__(self) -> None:
        self._mode: Mode | None = None
        self.loose = False  # a handler is in use whose connections cannot be told by their origin
        self._from_the_start = False
        self._listeners: list[Callable[[Trip], None]] = []
        self._early: deque[Trip] = deque(maxlen=KEPT_BEFORE_A_LOG)
        self._open: set[Errand] = set()
        self._names: OrderedDict[str, set[str]] = OrderedDict()  # names of permitted requests: addresses
        self._signed: WeakSet[Any] = WeakSet()
        self._destinations: dict[Destination, set[str]] = {}
        self._programs: set[str] = set()
        self._starting: list[str] = []
        self._process = os.getpid()
        self._busy = threading.local()

    @property
    def mode(self) -> Mode:
        """What happens to what trips the wire."""
        return self._mode or Mode.REFUSE

    def demand(self, mode: Mode) -> None:
        """Set the mode; of several crawls in one process the strictest counts."""
        self._mode = mode if self._mode is None else self._mode if self._mode is Mode.REFUSE else mode

    # what is allowed

    def allow(self, destinations: Iterable[Destination], programs: Iterable[str] = ()) -> None:
        """Let components beside the crawl reach databases, queues and stores, and start these programs."""
        for one in destinations:
            self._destinations.setdefault(Destination(host=bare_name(one.host), port=one.port), set())
        self._programs.update(programs)

    @contextmanager
    def starting(self, program: str | os.PathLike[str]) -> Iterator[None]:
        """Let one program be started while the block runs: a component of ours answers for what it sends."""
        name = os.fsdecode(program)
        self._starting.append(name)
        try:
            yield
        finally:
            self._starting.remove(name)

    def sign(self, factory: object) -> None:
        """Vouch for a Twisted client factory: the door's own handler connects with it."""
        self._signed.add(factory)

    def resolved(self, host: object, addresses: Iterable[str]) -> None:
        """Remember what a name of a permitted request led to."""
        known = self._names.get(bare_name(host))
        if known is not None:
            if len(known) >= REMEMBERED_ADDRESSES:  # of a name with other addresses each time
                known.clear()
            known.update(map(bare_name, addresses))

    @contextmanager
    def errand(self, host: str, port: int, *, by_context: bool) -> Iterator[None]:
        """Let one permitted request reach its host while the block runs.

        `by_context` says that its connection is told by its context, as asyncio's are.
        """
        errand = Errand(host, port)
        self._open.add(errand)
        self._remember(errand.host)
        token = _errand.set(errand) if by_context else None
        try:
            yield
        finally:
            errand.open = False
            self._open.discard(errand)
            if token is not None:
                _errand.reset(token)

    def arrived(self) -> None:
        """Let nothing more be opened in the context of a request whose answer has begun.

        Signals are sent in it.
        """
        errand = _errand.get()
        if errand is not None:
            errand.open = False

    def _remember(self, name: str) -> None:
        if name in self._names:
            self._names.move_to_end(name)
            return
        self._names[name] = set()
        if len(self._names) > REMEMBERED_NAMES:
            self._names.popitem(last=False)

    # who hears of it

    def watch_from_the_start(self) -> None:
        """Watch also what is opened before a crawl exists: by spiders' modules and constructors."""
        self._from_the_start = True

    def attach(self, listener: Callable[[Trip], None]) -> None:
        """Tell a crawl of every trip, those before it included; called in whatever thread trips."""
        self._listeners.append(listener)
        while self._early:
            listener(self._early.popleft())

    def detach(self, listener: Callable[[Trip], None]) -> None:
        """Stop telling a crawl that has ended."""
        with suppress(ValueError):
            self._listeners.remove(listener)

    # what happens

    def heard(self, means: Means, arguments: tuple[Any, ...], frame: FrameType | None) -> None:
        """Judge one audit event. OSError with EACCES when it is refused."""
        if not self._listeners and not (self._from_the_start and means in _NETWORK):
            return
        if getattr(self._busy, "inside", False):
            return
        self._busy.inside = True
        try:
            target, host = self._what_trips(means, arguments, frame)
            if target is None:
                return
            refused = self.mode is Mode.REFUSE and means is not Means.LIBRARY
            self._tell(Trip(means=means, target=target, where=place_of(frame), refused=refused, host=host))
        finally:
            self._busy.inside = False
        if refused:
            raise OSError(errno.EACCES, f"sekisho: {means.value} to {target} refused: it has no permit")

    def _what_trips(
        self, means: Means, arguments: tuple[Any, ...], frame: FrameType | None
    ) -> tuple[str | None, str | None]:
        """Return what is opened past the door and its host; no target when nothing is."""
        if means is Means.PROGRAM:
            return self._program(arguments[0]), None
        if means is Means.LIBRARY:
            return (None, None) if arguments[0] is None else (str(arguments[0])[:300], None)
        if means is Means.NAME:
            name = bare_name(arguments[0])
            return (None, None) if self._may_look_up(name) else (name[:300], name[:255])
        opened, address = arguments[0], arguments[-1] if means is Means.DATAGRAM else arguments[1]
        family = getattr(opened, "family", None)
        if family not in (socket.AF_INET, socket.AF_INET6) or not isinstance(address, tuple):
            return None, None
        host, port = bare_name(address[0]), int(address[1])
        if self._may_reach(host, port, frame):
            return None, None
        return str(Destination(host=host, port=port))[:300], host[:255]

    def _program(self, given: object) -> str | None:
        name = os.fsdecode(given) if isinstance(given, str | bytes | os.PathLike) else str(given)
        allowed = name in self._starting or name in self._programs or os.path.basename(name) in self._programs  # noqa: PTH119 - may be no path
        return None if allowed else name[:300]

    def _may_look_up(self, name: str) -> bool:
        if stays_here(name) or name in self._names:
            return True
        allowed = False
        for one, addresses in self._destinations.items():
            if one.host == name:
                allowed = True
                with suppress(OSError):  # whoever asks will see the same error
                    found = socket.getaddrinfo(name, one.port, type=socket.SOCK_STREAM)
                    addresses.update(bare_name(place[4][0]) for place in found)
        return allowed

    def _may_reach(self, host: str, port: int, frame: FrameType | None) -> bool:
        for one, addresses in self._destinations.items():
            if one.port == port and (one.host == host or host in addresses):
                return True
        if frame is not None and frame.f_globals.get("__name__") == _TWISTED:
            if _innermost_is_signed(frame.f_locals.get("self"), self._signed):
                return True
        else:
            errand = _errand.get()
            if errand is not None and self._is_for(errand, host, port) and host not in errand.tried:
                errand.tried.add(host)
                return True
        return self.loose and any(self._is_for(errand, host, port) for errand in tuple(self._open))

    def _is_for(self, errand: Errand, host: str, port: int) -> bool:
        if not errand.open or errand.port != port:
            return False
        addresses = self._names.get(errand.host)
        # A name that was looked up past our resolvers has no addresses here; its port must do.
        return host == errand.host or (host in addresses if addresses else not is_address(errand.host))

    def _tell(self, trip: Trip) -> None:
        if os.getpid() != self._process:
            # A forked child has the wire but not the log.
            sys.stderr.write(f"sekisho: in a forked process: {trip.means.value} to {trip.target}\n")
            return
        if not self._listeners:
            self._early.append(trip)
            sys.stderr.write(f"sekisho: no crawl is under way: {trip.means.value} to {trip.target}\n")
        for listener in tuple(self._listeners):
            listener(trip)


_wire: Tripwire | None = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    means = WATCHED.get(event)
    if means is not None and _wire is not None:
        _wire.heard(means, arguments, sys._getframe(1))  # noqa: SLF001 - who opened it


def tripwire() -> Tripwire:
    """Return the wire of this process, put up when it is first asked for; it cannot be taken down."""
    global _wire  # noqa: PLW0603 - an audit hook is global and cannot be removed
    if _wire is None:
        _wire = Tripwire()
        sys.addaudithook(_hook)
    return _wire
