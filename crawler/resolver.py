"""Names under `.localhost` always mean this machine, whatever the system's name service says.

Implements RFC 6761 section 6.3 (https://www.rfc-editor.org/rfc/rfc6761#section-6.3): name resolution
libraries SHOULD answer `localhost` and every name below it with a loopback address and SHOULD NOT ask a
name server. Plain Debian does not do so, and the policy lets an agent without a real contact crawl exactly
these names, so a name server must have no say in where they lead.
Every other name goes on to whatever resolver the project has configured, unchanged.
Decides nothing about requests: that is `policies`' part.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

from scrapy import signals
from scrapy.utils.reactor import is_reactor_installed
from twisted.internet.interfaces import IHostnameResolver
from zope.interface import implementer  # type: ignore[import-untyped] # ships no types

from crawler.tripwire import tripwire

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from scrapy.crawler import Crawler

IPV4_LOOPBACK = "127.0.0.1"
IPV6_LOOPBACK = "::1"


def is_localhost_name(name: str | bytes | None) -> bool:
    """Whether a host name is `localhost` or lies below it (any case, with or without the root's dot)."""
    if name is None:
        return False
    text = name.decode("ascii", "replace") if isinstance(name, bytes) else name
    text = text.removesuffix(".").lower()
    return text == "localhost" or (text.endswith(".localhost") and not text.startswith("."))


@implementer(IHostnameResolver)
class LoopbackNameResolver:
    """Twisted's side: the literal address takes the place of a name under `.localhost`, all else passes."""

    def __init__(self, behind: Any) -> None:  # noqa: ANN401 - zope's interfaces are no types
        self.behind = behind

    def resolveHostName(  # noqa: N802 - the interface's name
        self,
        resolutionReceiver: object,  # noqa: N803 - as above
        hostName: str,  # noqa: N803 - as above
        *rest: object,
        **named: object,
    ) -> object:
        """Ask the resolver behind for a literal instead of such a name; no name server sees either."""
        name = IPV4_LOOPBACK if is_localhost_name(hostName) else hostName
        return self.behind.resolveHostName(resolutionReceiver, name, *rest, **named)


def _install_on_reactor(reactor: Any) -> None:  # noqa: ANN401 - the reactor is a module to a type checker
    """Put ourselves in front of the reactor's resolver, once."""
    if not isinstance(reactor.nameResolver, LoopbackNameResolver):
        reactor.installNameResolver(LoopbackNameResolver(reactor.nameResolver))


def _install_on_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Put ourselves in front of an event loop's `getaddrinfo`, once.

    The asyncio handlers of Scrapy offer no setting for a resolver and all of them end here.
    """
    if getattr(loop.getaddrinfo, "answers_localhost", False):
        return
    behind: Callable[..., Coroutine[Any, Any, list[Any]]] = loop.getaddrinfo

    async def getaddrinfo(
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - the interface's name
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        asked = host
        if is_localhost_name(host):
            host = IPV6_LOOPBACK if family == socket.AF_INET6 else IPV4_LOOPBACK
            # A machine whose only address is loopback has no configured family, and must still reach itself.
            flags &= ~socket.AI_ADDRCONFIG
        found = await behind(host, port, family=family, type=type, proto=proto, flags=flags)
        tripwire().resolved(asked, (str(place[4][0]) for place in found))
        return found

    getaddrinfo.answers_localhost = True  # type: ignore[attr-defined] # the mark read above
    loop.getaddrinfo = getaddrinfo  # type: ignore[method-assign] # no other door; see the docstring


def install_loopback_names() -> None:
    """Answer names under `.localhost` in this process: on Twisted's reactor and on the running event loop.

    Call it when a crawl starts, before its first request; calling it again changes nothing.
    """
    if is_reactor_installed():
        from twisted.internet import reactor  # noqa: PLC0415 - importing it earlier would choose a reactor

        # `CrawlerProcess` installs the project's resolver just before the reactor runs: come after it.
        reactor.callWhenRunning(_install_on_reactor, reactor)
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # a reactor without asyncio: nobody resolves through a loop
        return
    _install_on_loop(loop)


class LoopbackNames:
    """The extension that installs it when the engine starts: after Scrapy's set-up, before any request."""

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> LoopbackNames:
        """Subscribe to the start of the engine."""
        extension = cls()
        crawler.signals.connect(extension.engine_started, signal=signals.engine_started)
        return extension

    def engine_started(self) -> None:
        """Install before the first request."""
        install_loopback_names()
