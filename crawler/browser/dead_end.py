"""The only address that Chromium may connect to, and it leads nowhere.

Chromium is started with this as its proxy for every scheme and host, loopback included. What it asks for
with our knowledge never comes here, since `rendering.py` answers it; what gets past that (websockets, shared
workers, prefetching, reports, Chromium's own errands) is answered with 403, and recorded with its address.
Opens no connection itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from policies.vocabulary import Reason

if TYPE_CHECKING:
    from crawler.browser.closed_ways import ClosedWays

LONGEST_LINE: Final = 16_384
PATIENCE_SECONDS: Final = 5.0
_ANSWER: Final = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)
_NOTE: Final = "it left Chromium on a way that no rule is asked on; nothing was sent"


def address_of(method: str, target: str) -> str:
    """Return the address that a request line to a proxy is about; a tunnel names only host and port."""
    if method != "CONNECT":
        return target
    host, _, port = target.rpartition(":")
    return f"https://{host}/" if port == "443" else f"https://{target}/"


class DeadEnd:
    """See the module."""

    def __init__(self, closed: ClosedWays) -> None:
        self._closed = closed
        self._server: asyncio.Server | None = None
        self.port = 0
        self.arrivals = 0

    async def open(self) -> None:
        """Listen on a loopback port of the system's choice."""
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", 0, limit=LONGEST_LINE)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                line = await reader.readuntil(b"\r\n")
            method, target, _ = line.decode("latin-1").split(" ", 2)
            self.arrivals += 1
            self._closed.refuse(
                address_of(method, target), Reason.UNGOVERNED, _NOTE, source="browser", method=method
            )
            writer.write(_ANSWER)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await writer.drain()
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a connection that asks for nothing readable; it ends here all the same
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
