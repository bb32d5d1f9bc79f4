"""A spider that asks for what it must not have, by every interface that Scrapy offers to a spider."""

import base64
from typing import ClassVar

from scrapy import FormRequest, Request, Spider
from scrapy.downloadermiddlewares.retry import get_retry_request

ODD_METHODS = ("POST", "put", "DELETE", "OPTIONS", "CONNECT", "TRACE", "GET /private/x HTTP/1.1\r\nX:")
SMUGGLED = "GET /private/smuggled HTTP/1.1\r\nHost: a.localhost\r\n\r\n"


class Asked(Spider):
    name = "asked"
    user_agent = "EvilSpider/1.0"
    http_user = "u"
    http_pass = "p"
    custom_settings: ClassVar = {
        "USER_AGENT": "EvilSettings/1.0",
        "DEFAULT_REQUEST_HEADERS": {"User-Agent": "EvilDefault/1.0"},
        "REMOTE_CONTROL_ENABLED": True,
        "TELNETCONSOLE_ENABLED": True,
    }

    def __init__(self, port):
        super().__init__()
        self.port = port
        self.http_auth_domain = "auth.localhost:" + port

    def ask(self, attempt, url, **arguments):
        return Request(
            url, callback=self.parse, errback=self.failed, cb_kwargs={"attempt": attempt}, **arguments
        )

    def open(self, attempt, **arguments):
        return self.ask(attempt, f"http://a.localhost:{self.port}/open?{attempt}", **arguments)

    def private(self, attempt, **arguments):
        return self.ask(attempt, f"http://a.localhost:{self.port}/private/{attempt}", **arguments)

    async def start(self):
        a = f"http://a.localhost:{self.port}"
        pirate = f"http://pirate.localhost:{self.port}"
        yield self.ask("plain", a + "/plain")
        yield self.private("dont_obey", meta={"dont_obey_robotstxt": True}, dont_filter=True)
        yield self.ask("listed", pirate + "/listed", meta={"allow_offsite": True}, dont_filter=True)
        yield self.ask(
            "listed_dot", pirate.replace("localhost", "localhost.") + "/listed_dot", dont_filter=True
        )
        yield self.ask("listed_case", pirate.replace("pirate", "PiRate") + "/listed_case", dont_filter=True)
        yield self.private("slot", meta={"download_slot": "elsewhere"})
        yield self.ask("redirect", a + "/to-private")
        yield self.ask("refresh", a + "/refresh-private")
        yield self.ask("redirect_listed", a + "/to-listed")
        yield self.private("again")
        yield self.ask("file", "file:///etc/file")
        yield self.ask("data", "data:text/plain,data")
        yield self.ask("ftp", f"ftp://a.localhost:{self.port}/ftp")
        yield self.ask("s3", "s3://bucket/s3")
        yield self.ask("gopher", f"gopher://a.localhost:{self.port}/gopher")
        for method in ODD_METHODS:
            yield self.open("method", method=method, dont_filter=True)
        yield FormRequest(a + "/open?form", formdata={"q": "x"}, callback=self.parse, errback=self.failed,
                          cb_kwargs={"attempt": "form"})  # fmt: skip
        yield self.ask("userinfo", a.replace("://", "://user:secret@") + "/open?userinfo")
        yield self.open("authorization", headers={"Authorization": b"Basic " + base64.b64encode(b"u:p")})
        yield self.ask("http_auth", f"http://auth.localhost:{self.port}/http_auth")
        yield self.open("host_header", headers={"Host": "pirate.localhost"})
        yield self.open("host_header_too", headers={"host": ["a.localhost", "pirate.localhost"]})
        yield self.open("content", body=SMUGGLED)
        yield self.open("content_length", body=SMUGGLED, headers={"Content-Length": "0"})
        yield self.open("proxy", meta={"proxy": pirate})
        yield self.open("proxy_far", meta={"proxy": "http://192.0.2.1:8080"})
        for request in self.unheard(a):
            yield request
        async for item in self.direct(a, pirate):
            yield item

    def unheard(self, a):
        yield self.ask("user_agent", a + "/header", headers={"User-Agent": "EvilHeader/1.0"})
        yield self.ask("user_agent", a + "/two", headers={"User-Agent": ["EvilHeader/1.0", "EvilToo/1.0"]})
        yield self.ask("cookie", a + "/argument", cookies={"session": "stolen"})
        yield self.ask("cookie", a + "/cookie-header", headers={"Cookie": "session=stolen"})
        yield self.ask("cookie", a + "/gives-cookie")
        end = " HTTP/1.1\r\nX-Evil: 1\r\n\r\nGET /private/crlf HTTP/1.1\r\n\r\n"
        yield self.ask("crlf", a + "/crlf" + end)

    async def direct(self, a, pirate):
        engine = self.crawler.engine
        handlers = engine.downloader.handlers
        declared = {"User-Agent": engine.settings["USER_AGENT"]}
        calls = {
            "engine_download": lambda: engine.download_async(Request(a + "/private/engine_download")),
            "handlers": lambda: handlers.download_request_async(Request(a + "/open?handlers")),
            "handlers_declared": lambda: handlers.download_request_async(
                Request(a + "/open?handlers_declared", headers=declared)
            ),
            "listed_direct": lambda: handlers.download_request_async(Request(pirate + "/listed_direct")),
            "inner_handler": lambda: handlers._get_handler("http").download_request(
                Request(a + "/open?inner_handler", headers=declared)
            ),
        }
        for attempt, call in calls.items():
            yield await self.told(attempt, call)
        present = [type(one).__name__ for one in self.crawler.extensions.middlewares]
        yield {"attempt": "control_ports", "present": present}

    async def told(self, attempt, call):
        try:
            response = await call()
        except Exception as error:
            return {"attempt": attempt, "refused": str(getattr(error, "reason", error))}
        return {"attempt": attempt, "got": response.url}

    async def parse(self, response, attempt):
        yield {"attempt": attempt, "got": response.url}
        if "gives-cookie" in response.url:
            yield self.ask("cookie", response.urljoin("/after-cookie"))
        if attempt == "plain":
            handlers = self.crawler.engine.downloader.handlers
            for name, request in (("replay", response.request), ("replay_copy", response.request.copy())):
                yield await self.told(name, lambda request=request: handlers.download_request_async(request))

    def failed(self, failure):
        request = failure.request
        attempt = request.cb_kwargs["attempt"]
        yield {"attempt": attempt, "refused": str(getattr(failure.value, "reason", failure.value))}
        if attempt == "again" and not request.meta.get("retry_times"):
            yield get_retry_request(request, spider=self, reason="refused")
