"""Prepares Scrapy's download handlers to stand behind the door.

A prepared handler sends what it is given once, opens only for a request that the door is letting through, and
its connections are known to the tripwire. Written against Scrapy 2.19: `HTTP11DownloadHandler` and
`H2DownloadHandler` connect through a pool of Twisted's, those over `BaseStreamingDownloadHandler` (aiohttp,
httpx) in asyncio, any other handler through what we do not know. Judges nothing.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from scrapy.core.downloader.handlers._base_streaming import BaseStreamingDownloadHandler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from scrapy import Request

    from crawler.tripwire import Tripwire


# By name: importing them would install parts of Twisted where there is no reactor.
_POOLED = frozenset(
    (
        "scrapy.core.downloader.handlers.http11.HTTP11DownloadHandler",
        "scrapy.core.downloader.handlers.http2.H2DownloadHandler",
    )
)


class _SignedEndpoint:
    """A Twisted endpoint whose connections the tripwire knows."""

    def __init__(self, endpoint: Any, wire: Tripwire) -> None:  # noqa: ANN401 - zope's interfaces are no types
        self._endpoint = endpoint
        self._wire = wire

    def __repr__(self) -> str:
        """Return the endpoint's own words; Twisted puts them into messages."""
        return repr(self._endpoint)

    def connect(self, factory: object) -> Any:  # noqa: ANN401 - a Deferred of some protocol
        """Connect for a factory that the door vouches for."""
        self._wire.sign(factory)
        return self._endpoint.connect(factory)


def _sign_pool(pool: Any, method: str, wire: Tripwire) -> None:  # noqa: ANN401 - Twisted's and Scrapy's pools
    """Let a connection pool open signed connections only; the endpoint is its method's last argument."""
    inner = getattr(pool, method)

    def get(*arguments: Any) -> Any:  # noqa: ANN401 - passed through
        return inner(*arguments[:-1], _SignedEndpoint(arguments[-1], wire))

    setattr(pool, method, get)


def send_once(handler: Any) -> None:  # noqa: ANN401 - handlers share no type
    """Switch off what sends a request a second time by itself.

    Twisted's pool and aiohttp's session do so with a GET when a kept connection turns out to be closed: one
    decision would then be two requests. Scrapy's retry asks for a decision of its own instead.
    """
    pool: Any = getattr(handler, "_pool", None)
    if hasattr(pool, "retryAutomatically"):
        pool.retryAutomatically = False
    session: Any = getattr(handler, "_session", None)
    if hasattr(session, "_retry_connection"):
        session._retry_connection = False  # noqa: SLF001 - aiohttp 3.14 has no public switch for a session


def _end_errand_with_the_head(handler: Any, wire: Tripwire) -> None:  # noqa: ANN401 - as above
    """Close a request's way when its answer has begun, before signals tell a spider of it."""
    inner = handler._make_request  # noqa: SLF001 - where Scrapy 2.19 knows that the head has arrived

    @asynccontextmanager
    async def make_request(request: Request, seconds: float) -> AsyncIterator[Any]:
        async with inner(request, seconds) as response:
            wire.arrived()
            yield response

    handler._make_request = make_request  # noqa: SLF001 - as above


def tells_its_connections(handler: type) -> bool:
    """Whether the connections of a handler class can be told from all others to the same host."""
    names = {f"{one.__module__}.{one.__qualname__}" for one in handler.__mro__}
    return issubclass(handler, BaseStreamingDownloadHandler) or not names.isdisjoint(_POOLED)


def sign_connections(handler: Any, wire: Tripwire) -> bool:  # noqa: ANN401 - as above
    """Tell the tripwire which connections are this handler's; whether they are told by their context.

    Connections of a handler that is neither Scrapy's own nor opened by asyncio within the request's context
    cannot be told apart from others to the same host; the wire is looser then, and the run header says so.
    """
    pool: Any = getattr(handler, "_pool", None)
    for method in ("getConnection", "get_connection"):
        if callable(getattr(pool, method, None)):
            _sign_pool(pool, method, wire)
            return False
    if isinstance(handler, BaseStreamingDownloadHandler):
        _end_errand_with_the_head(handler, wire)
    else:
        wire.loose = True
    return True


def stand_behind(handler: Any, let_through: Callable[[Request], None]) -> None:  # noqa: ANN401 - as above
    """Let a handler send only what `let_through` does not raise for, whoever calls it."""
    inner = handler.download_request

    def download_request(request: Request, *rest: Any) -> Any:  # noqa: ANN401 - a coroutine or a Deferred
        let_through(request)
        return inner(request, *rest)

    handler.download_request = download_request
