"""Our walk through the downloader middlewares gives what Scrapy's own gives, whatever they return."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from scrapy import Request, Spider
from scrapy.core.downloader.middleware import DownloaderMiddlewareManager
from scrapy.http import Response
from scrapy.utils.test import get_crawler

from crawler.chain import MiddlewareChain

ASKED = Request("http://a.localhost/")
OTHER = Request("http://b.localhost/")
PAGE = Response("http://a.localhost/", body=b"page")
CHANGED = Response("http://a.localhost/", body=b"changed")


class Falsy(Response):
    def __bool__(self):
        return False


FALSY = Falsy("http://a.localhost/")
RESULTS = {
    "nothing": None, "page": PAGE, "changed": CHANGED, "falsy": FALSY, "request": OTHER, "text": "text",
    "zero": 0, "list": [], "error": ValueError("no"),
}  # fmt: skip


def middleware(name, result, how, log):
    """Return a middleware with both methods that notes its calls and gives a result in some manner."""

    def give(kind):
        log.append((name, kind))
        if isinstance(result, Exception):
            raise result
        return result

    async def later(kind):
        await asyncio.sleep(0)
        return give(kind)

    class Plain:
        def process_request(self, request):
            return give("request")

        def process_response(self, request, response):
            return give("response")

    class Coroutine:
        async def process_request(self, request):
            return await later("request")

        async def process_response(self, request, response):
            return await later("response")

    class Task:
        def process_request(self, request):
            return asyncio.ensure_future(later("request"))

        def process_response(self, request, response):
            return asyncio.ensure_future(later("response"))

    return {"plain": Plain, "coroutine": Coroutine, "task": Task}[how]()


def outcome(manager, log):
    async def download(request):
        log.append(("network", request.url))
        return PAGE

    try:
        found = asyncio.run(manager.download_async(download, ASKED))
    except Exception as error:
        return type(error), str(error), log
    return found, log


@pytest.mark.parametrize("how", ["plain", "coroutine", "task"])
@pytest.mark.parametrize(("first", "second"), [*itertools.product(RESULTS, RESULTS)])
def test_results_errors_and_calls_are_those_of_scrapy(first, second, how):
    seen = []
    for like in (lambda manager: manager, MiddlewareChain.like):
        log = []
        manager = DownloaderMiddlewareManager(
            middleware("a", RESULTS[first], how, log),
            middleware("b", RESULTS[second], "plain", log),
            crawler=get_crawler(),
        )
        seen.append(outcome(like(manager), log))
    assert seen[0] == seen[1]


class Passing:
    def process_response(self, request, response):
        return response


class Demanding:
    def process_request(self, request, spider):
        self.asked = spider

    def process_response(self, request, response, spider):
        self.answered = spider
        return response


def test_a_middleware_that_still_demands_the_spider_gets_it():
    crawler = get_crawler(Spider)
    crawler.spider = crawler._create_spider("named")
    demanding = Demanding()
    with pytest.warns(Warning, match="requires a spider argument"):
        manager = DownloaderMiddlewareManager(Passing(), demanding, crawler=crawler)
    assert outcome(MiddlewareChain.like(manager), [])[0] is PAGE
    assert demanding.asked is demanding.answered is crawler.spider


def test_a_method_that_is_added_to_the_manager_later_is_asked_too():
    log = []
    manager = DownloaderMiddlewareManager(Passing(), crawler=get_crawler())
    chain = MiddlewareChain.like(manager)
    manager.methods["process_request"].append(middleware("late", None, "plain", log).process_request)
    assert outcome(chain, log)[0] is PAGE
    assert log == [("late", "request"), ("network", ASKED.url)]
