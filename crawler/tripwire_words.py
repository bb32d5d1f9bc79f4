"""The words of the tripwire: what it watches, what tripped it, and where in the code that was.

Pure but for reading stack frames. Event names: https://docs.python.org/3/library/audit_events.html.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType

_STANDARD_LIBRARY: Final = os.path.dirname(os.__file__)  # noqa: PTH120 - compared with file names of frames


class Mode(StrEnum):
    """What happens to what trips the wire; the values of the setting SEKISHO_TRIPWIRE."""

    REFUSE = "refuse"
    RECORD = "record"


class Means(StrEnum):
    """How something was opened past the door."""

    CONNECTION = "connection"
    DATAGRAM = "datagram"
    NAME = "name look-up"
    PROGRAM = "program"
    LIBRARY = "library"


WATCHED: Final[dict[str, Means]] = {
    "socket.connect": Means.CONNECTION,
    "socket.sendto": Means.DATAGRAM,
    "socket.sendmsg": Means.DATAGRAM,
    "socket.getaddrinfo": Means.NAME,
    "socket.gethostbyname": Means.NAME,
    "subprocess.Popen": Means.PROGRAM,
    "os.exec": Means.PROGRAM,
    "os.posix_spawn": Means.PROGRAM,
    "os.system": Means.PROGRAM,
    "ctypes.dlopen": Means.LIBRARY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """One thing that was opened past the door. `host` is None where there is no network address."""

    means: Means
    target: str
    where: str
    refused: bool
    host: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """What a component beside the crawl may reach: a host name or address, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return it as it is written in settings."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def bare_name(host: object) -> str:
    """Return a host as names are compared here: text in lower case, no brackets, scope or root dot."""
    text = host.decode("ascii", "replace") if isinstance(host, bytes | bytearray) else str(host)
    return text.strip("[]").partition("%")[0].removesuffix(".").lower()


def is_address(name: str) -> bool:
    """Whether a host is an address and no name."""
    with suppress(ValueError):
        ip_address(name)
        return True
    return False


def stays_here(name: str) -> bool:
    """Whether looking a name up asks no name server: an address, `localhost`, or nothing at all."""
    return name in ("", "none", "localhost") or name.endswith(".localhost") or is_address(name)


def place_of(frame: FrameType | None) -> str:
    """Return module, line and function of the code that is behind an event.

    That is the nearest code of a project; else the nearest of a package; never Python's own.
    """
    nearest: FrameType | None = None
    while frame is not None:
        name = frame.f_code.co_filename
        installed = "site-packages" in name or "dist-packages" in name
        if installed or not name.startswith((_STANDARD_LIBRARY, "<frozen")):
            start_of_process = frame.f_code.co_name == "<module>" and frame.f_back is None
            if not installed and not start_of_process:
                nearest = frame
                break
            nearest = nearest or frame
        frame = frame.f_back
    if nearest is None:
        return "unknown code"
    module = str(nearest.f_globals.get("__name__", "?"))
    return f"{module} line {nearest.f_lineno} in {nearest.f_code.co_name}"[:300]
