"""A spider that switches our components off and adds its own before, between and after them."""

from typing import ClassVar

from scrapy import Request, Spider
from scrapy.core.downloader import Downloader
from scrapy.core.downloader.handlers.http11 import HTTP11DownloadHandler
from scrapy.http import HtmlResponse


class OpenDownloader(Downloader):
    """A downloader that asks nobody."""


class OpenHandler(HTTP11DownloadHandler):
    """A handler that would show itself."""

    async def download_request(self, request):
        return HtmlResponse(request.url, body=b"<title>open handler</title>", request=request)


class Early:
    """Before any rule was asked."""

    def process_request(self, request):
        if "early=answer" in request.url:
            return HtmlResponse(request.url, body=b"<title>made up</title>", request=request)
        return None


class Middle:
    """After the robots rule, before the record."""

    def process_request(self, request):
        if "middle=private" in request.url:
            request._set_url(request.url.replace("/open", "/private/middle"))
        if "middle=auth" in request.url:
            request.headers["Authorization"] = "Basic eDp5"


class Late:
    """After the permit was issued."""

    def __init__(self, crawler):
        self.crawler = crawler

    @classmethod
    def from_crawler(cls, crawler):
        return cls(crawler)

    async def process_request(self, request):
        url = request.url
        if url.endswith("?late=replace"):
            return request.replace(url=url.replace("/open", "/private/late=replace").split("?")[0])
        if url.endswith("/twice"):  # sends by itself what is about to be sent, and lets it go on
            await self.crawler.engine.downloader.handlers.download_request_async(request)
        for name, change in CHANGES.items():
            if url.endswith(f"?{name}"):
                change(request, url)
        return None


def _late_method(request, url):
    request.method = "POST"


def _late_no_agent(request, url):
    del request.headers["User-Agent"]


CHANGES = {
    "late=private": lambda request, url: request._set_url(url.replace("/open", "/private/late")),
    "late=host": lambda request, url: request._set_url(url.replace("a.localhost", "pirate.localhost")),
    "late=method": _late_method,
    "late=agent": lambda request, url: request.headers.__setitem__("User-Agent", "EvilLate/1.0"),
    "late=more-agents": lambda request, url: request.headers.setlist(
        "User-Agent", ["EvilLate/1.0", request.headers["User-Agent"]]
    ),
    "late=no-agent": _late_no_agent,
    "late=auth": lambda request, url: request.headers.__setitem__("Authorization", "Basic eDp5"),
    "late=cookie": lambda request, url: request.headers.__setitem__("Cookie", "session=stolen"),
    "late=vhost": lambda request, url: request.headers.__setitem__("Host", "pirate.localhost"),
    "late=proxy": lambda request, url: request.meta.__setitem__(
        "proxy", url.split("?")[0].replace("a.localhost", "pirate.localhost")
    ),
    "late=body": lambda request, url: request._set_body(b"q=1"),
}
QUERIES = ("plain", "early=answer", "middle=private", "middle=auth", "late=replace", *CHANGES)


class Components(Spider):
    name = "components"
    custom_settings: ClassVar = {
        "ADDONS": {},
        "DOWNLOADER": OpenDownloader,
        "DOWNLOADER_MIDDLEWARES": {
            "crawler.middlewares.identity.IdentityMiddleware": None,
            "crawler.middlewares.piracy.PiracyMiddleware": None,
            "crawler.middlewares.robots.RobotsMiddleware": None,
            "crawler.middlewares.rights.RightsMiddleware": None,
            "crawler.middlewares.access.AccessPageMiddleware": None,
            "crawler.middlewares.access.AccessHeadMiddleware": None,
            "crawler.middlewares.pace.PaceMiddleware": None,
            "crawler.middlewares.record.RecordMiddleware": None,
            "scrapy.downloadermiddlewares.useragent.UserAgentMiddleware": 500,
            "scrapy.downloadermiddlewares.httpcache.HttpCacheMiddleware": 900,
            Early: 5,
            Middle: 500,
            Late: 895,
        },
        "SPIDER_MIDDLEWARES": {
            "crawler.middlewares.links.RecordedDepthMiddleware": None,
            "crawler.middlewares.links.RecordedUrlLengthMiddleware": None,
        },
        "EXTENSIONS": {
            "crawler.extensions.guard.Guard": None,
            "crawler.resolver.LoopbackNames": None,
            "crawler.extensions.lists.ListsWatch": None,
        },
        "DOWNLOAD_HANDLERS": {
            "file": "scrapy.core.downloader.handlers.file.FileDownloadHandler",
            "http": OpenHandler,
        },
        "ITEM_PIPELINES": {"scrapy.pipelines.files.FilesPipeline": 1},
        "FILES_STORE": "files",
        "HTTPCACHE_ENABLED": True,
        "ROBOTSTXT_OBEY": False,
        "USER_AGENT": "EvilSettings/1.0",
        "SEKISHO_TRIPWIRE": "record",
        "SEKISHO_DESTINATIONS": ["127.0.0.1:1"],
    }

    async def start(self):
        a = f"http://a.localhost:{self.port}"
        for name in QUERIES:
            yield self.ask(name, f"{a}/open?{name}")
        yield self.ask("twice", f"{a}/twice")
        files = ("/private/files", "/file.pdf")
        pirate = f"http://pirate.localhost:{self.port}/files_listed"
        yield {
            "attempt": "files",
            "file_urls": [*(a + path for path in files), "file:///etc/files_file", pirate],
        }

    def ask(self, name, url):
        return Request(url, callback=self.parse, errback=self.failed, cb_kwargs={"attempt": name})

    def parse(self, response, attempt):
        yield {"attempt": attempt, "got": response.url, "title": response.css("title::text").get()}

    def failed(self, failure):
        attempt = failure.request.cb_kwargs["attempt"]
        yield {
            "attempt": attempt,
            "refused": str(getattr(failure.value, "reason", type(failure.value).__name__)),
        }
