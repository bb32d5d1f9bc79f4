"""The chain of downloader middlewares, walked with less ado than Scrapy 2.19 does, in the same order.

Scrapy makes an awaitable of whatever a middleware returns, mostly of None, and looks up its name for a
warning that is hardly ever given: that costs more than most middlewares do. Results, errors and what is
awaited when are those of Scrapy's manager; a test holds both side by side.
Decides nothing.
"""

from __future__ import annotations

from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

from scrapy.core.downloader.middleware import DownloaderMiddlewareManager
from scrapy.exceptions import _InvalidOutput
from scrapy.http import Request, Response
from scrapy.utils.defer import ensure_awaitable
from scrapy.utils.python import global_object_name

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Self

_ANSWERS: Final = (Response, Request)


class MiddlewareChain(DownloaderMiddlewareManager):
    """See the module."""

    @classmethod
    def like(cls, manager: DownloaderMiddlewareManager) -> Self:
        """Return a chain of the middlewares of a manager, which stays in use for its lists of methods."""
        chain = cls(crawler=manager.crawler)
        chain.__dict__.update(manager.__dict__)
        return chain

    async def _process_request(
        self, request: Request, download_func: Callable[[Request], Coroutine[Any, Any, Response]]
    ) -> Response | Request:
        """Ask each middleware in turn, and download unless one of them answers."""
        wants_spider = self._mw_methods_requiring_spider
        for method in self.methods["process_request"]:
            call: Any = method
            if wants_spider and method in wants_spider:
                found = call(request=request, spider=self._spider)
            else:
                found = call(request=request)
            if type(found) is CoroutineType:
                found = await found
            elif found is not None and not isinstance(found, _ANSWERS):
                found = await ensure_awaitable(found, _warn=global_object_name(call))
            if found is None:
                continue
            if not isinstance(found, _ANSWERS):
                raise _InvalidOutput(
                    f"Middleware {call.__qualname__} must return None, Response or "
                    f"Request, got {found.__class__.__name__}"
                )
            if found:  # type: ignore[truthy-bool] # a subclass may say otherwise, and Scrapy asks it
                return found
        return await download_func(request)

    async def _process_response(self, response: Response | Request, request: Request) -> Response | Request:
        """Show an answer to each middleware in turn, up to one that asks for another request."""
        if response is None:
            raise TypeError("Received None in process_response")
        if isinstance(response, Request):
            return response
        wants_spider = self._mw_methods_requiring_spider
        for method in self.methods["process_response"]:
            call: Any = method
            if wants_spider and method in wants_spider:
                found = call(request=request, response=response, spider=self._spider)
            else:
                found = call(request=request, response=response)
            if type(found) is CoroutineType:
                found = await found
            elif not isinstance(found, _ANSWERS):
                found = await ensure_awaitable(found, _warn=global_object_name(call))
            if not isinstance(found, _ANSWERS):
                raise _InvalidOutput(
                    f"Middleware {call.__qualname__} must return Response or Request, got {type(found)}"
                )
            if isinstance(found, Request):
                return found
            response = found
        return response
