"""Ways round the door, tried from inside a crawl: what the server received decides whether one was found.

Two crawls carry most attempts. `attempts` is a spider that asks for what it must not have, by every interface
that Scrapy offers to a spider. `rivals` is a project that switches our components off, adds middlewares that
change requests after they were judged, and downloads files. What neither can show has a crawl of its own.
"""

import json
from collections import Counter

import pytest
from arrivals import undecided
from loopback import Project, Web, page, robots

DECLARED = "Mozilla/5.0 (compatible; ExampleBot/1.0; +https://bot.example.com/)"

ATTEMPTS = """
import base64
from scrapy import FormRequest, Request, Spider

class Attempts(Spider):
    name = "attempts"
    user_agent = "EvilSpider/1.0"
    http_user = "u"
    http_pass = "p"
    custom_settings = {"USER_AGENT": "EvilSettings/1.0", "DEFAULT_REQUEST_HEADERS": {"User-Agent": "EvilDefault/1.0"}}

    def __init__(self, port):
        super().__init__()
        self.port = port
        self.http_auth_domain = "auth.localhost:" + port

    def ask(self, attempt, url, **arguments):
        return Request(url, callback=self.parse, errback=self.failed, cb_kwargs={"attempt": attempt}, **arguments)

    async def start(self):
        a = "http://a.localhost:%s" % self.port
        pirate = "http://pirate.localhost:%s" % self.port
        yield self.ask("plain", a + "/plain")
        yield self.ask("user_agent_header", a + "/header", headers={"User-Agent": "EvilHeader/1.0"})
        yield self.ask("two_user_agents", a + "/two", headers={"User-Agent": ["EvilHeader/1.0", "EvilToo/1.0"]})
        yield self.ask("dont_obey", a + "/private/meta", meta={"dont_obey_robotstxt": True}, dont_filter=True)
        yield self.ask("listed", pirate + "/film", meta={"allow_offsite": True}, dont_filter=True)
        yield self.ask("listed_dot", pirate.replace("localhost", "localhost.") + "/film", dont_filter=True)
        yield self.ask("listed_case", pirate.replace("pirate", "PiRate") + "/film", dont_filter=True)
        yield self.ask("file", "file:///etc/hostname")
        yield self.ask("data", "data:text/plain,hello")
        yield self.ask("ftp", "ftp://a.localhost:%s/x" % self.port)
        yield self.ask("s3", "s3://bucket/key")
        yield self.ask("gopher", "gopher://a.localhost:%s/x" % self.port)
        for method in ("POST", "put", "DELETE", "OPTIONS", "CONNECT", "TRACE", "GET /private/x HTTP/1.1\\r\\nX:"):
            yield self.ask("method", a + "/open?by=method", method=method, dont_filter=True)
        yield FormRequest(a + "/open?by=form", formdata={"q": "x"}, callback=self.parse, errback=self.failed,
                          cb_kwargs={"attempt": "form"})
        yield self.ask("userinfo", a.replace("://", "://user:secret@") + "/open?by=userinfo")
        yield self.ask("authorization", a + "/open?by=authorization",
                       headers={"Authorization": b"Basic " + base64.b64encode(b"u:p")})
        yield self.ask("http_auth", "http://auth.localhost:%s/open" % self.port)
        yield self.ask("host_header", a + "/open?by=host", headers={"Host": "pirate.localhost"})
        yield self.ask("host_header_too", a + "/open?by=hosts", headers={"host": ["a.localhost", "pirate.localhost"]})
        yield self.ask("redirect", a + "/to-private")
        yield self.ask("refresh", a + "/refresh-private")
        yield self.ask("slot", a + "/private/slot", meta={"download_slot": "elsewhere"})
        smuggled = "GET /private/smuggled HTTP/1.1\\r\\nHost: a.localhost\\r\\n\\r\\n"
        yield self.ask("content", a + "/open?by=content", body=smuggled)
        yield self.ask("content_length", a + "/open?by=length", body=smuggled, headers={"Content-Length": "0"})
        yield self.ask("proxy_far", a + "/open?by=proxy-far", meta={"proxy": "http://192.0.2.1:8080"})
        yield self.ask("proxy", a + "/open?by=proxy", meta={"proxy": pirate})
        yield self.ask("crlf", a + "/open?by=crlf\\r\\nX-Evil: 1\\r\\n\\r\\nGET /private/crlf HTTP/1.1\\r\\n\\r\\n")
        engine = self.crawler.engine
        direct = {
            "engine_download": lambda: engine.download_async(Request(a + "/private/engine")),
            "handlers": lambda: engine.downloader.handlers.download_request_async(Request(a + "/open?by=handlers")),
            "handlers_declared": lambda: engine.downloader.handlers.download_request_async(
                Request(a + "/open?by=declared", headers={"User-Agent": engine.settings["USER_AGENT"]})),
            "listed_direct": lambda: engine.downloader.handlers.download_request_async(Request(pirate + "/direct")),
        }
        for attempt, call in direct.items():
            try:
                response = await call()
            except Exception as error:
                yield {"attempt": attempt, "refused": str(getattr(error, "reason", error))}
            else:
                yield {"attempt": attempt, "got": response.url}

    async def parse(self, response, attempt):
        yield {"attempt": attempt, "got": response.url}
        if attempt != "plain":
            return
        handlers = self.crawler.engine.downloader.handlers
        for name, request in (("replay", response.request), ("replay_copy", response.request.copy())):
            try:
                again = await handlers.download_request_async(request)
            except Exception as error:
                yield {"attempt": name, "refused": str(getattr(error, "reason", error))}
            else:
                yield {"attempt": name, "got": again.url}

    def failed(self, failure):
        attempt = failure.request.cb_kwargs["attempt"]
        yield {"attempt": attempt, "refused": str(getattr(failure.value, "reason", failure.value))}
"""


class Outcome:
    """A crawl with the items that its spider yielded, and the web that it met."""

    def __init__(self, web, crawl):
        self.web = web
        self.crawl = crawl
        lines = (crawl.folder / "items.jsonl").read_text().splitlines()
        self.items = [json.loads(line) for line in lines]

    def refusals(self, attempt):
        return {item["refused"] for item in self.items if item["attempt"] == attempt and "refused" in item}

    def got(self, attempt):
        return [item["got"] for item in self.items if item["attempt"] == attempt and "got" in item]


@pytest.fixture(scope="module", params=["twisted", "aiohttp"])
def attempts(request, tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("attempts"))
    if request.param == "aiohttp":
        pytest.importorskip("aiohttp", reason="Scrapy's handlers without Twisted need aiohttp")
        project.append("project_settings.py", "\nTWISTED_REACTOR_ENABLED = False\n")
    project.write("spiders/attempts.py", ATTEMPTS)
    with Web() as web:
        web.default = page("open to all")
        rules = "User-agent: *\nDisallow: /private\n"
        for host in ("a.localhost", "auth.localhost", "pirate.localhost"):
            web.add(host, "/robots.txt", robots(rules))
        web.add("a.localhost", "/to-private", page(status=302, headers=(("Location", "/private/redirect"),)))
        refresh = '<meta http-equiv="refresh" content="0; url=/private/refresh">'
        web.add("a.localhost", "/refresh-private", page(refresh))
        crawl = project.scrapy("crawl", "attempts", "-a", f"port={web.port}", "-o", "items.jsonl")
        yield Outcome(web, crawl)


def test_a_crawl_full_of_attempts_ends_in_order_and_its_log_verifies(attempts):
    assert attempts.crawl.code == 0, attempts.crawl.stderr
    assert [one.reason for one in attempts.crawl.of(stage="run")] == [
        "run_opened",
        "guard_armed",
        "run_closed",
    ]
    project_log = f"sqlite:///{attempts.crawl.folder / 'log.db'}"
    verified = Project.at(attempts.crawl.folder).sekisho("log", "verify", "--log", project_log)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_every_request_that_the_server_received_had_a_durable_decision_before(attempts):
    assert undecided(attempts.web, attempts.web.received, attempts.crawl.records) == []


def test_no_forbidden_path_was_received_by_any_host(attempts):
    assert [one for one in attempts.web.received if one.path.startswith("/private")] == []


def test_a_listed_host_received_nothing_in_any_spelling_or_as_a_proxy(attempts):
    assert [one for one in attempts.web.received if "pirate" in one.host + one.path] == []


def test_only_get_was_received_and_no_credentials(attempts):
    assert {one.method for one in attempts.web.received} == {"GET"}
    assert [one for one in attempts.web.received if "authorization" in one.headers] == []


def test_every_request_carried_exactly_the_declared_user_agent(attempts):
    assert {one.headers["user-agent"] for one in attempts.web.received} == {DECLARED}
    for attempt in ("plain", "user_agent_header", "two_user_agents"):
        assert attempts.got(attempt), attempt


def test_no_part_of_a_url_reached_the_wire_as_a_header_or_a_second_request(attempts):
    assert [one for one in attempts.web.received if "x-evil" in one.headers] == []


@pytest.mark.parametrize(
    ("attempt", "reason"),
    [
        ("dont_obey", "robots_disallow"),
        ("slot", "robots_disallow"),
        ("engine_download", "robots_disallow"),
        ("redirect", "robots_disallow"),
        ("refresh", "robots_disallow"),
        ("listed", "piracy_list"),
        ("listed_dot", "piracy_list"),
        ("listed_case", "piracy_list"),
        ("file", "unparsable_url"),
        ("data", "unparsable_url"),
        ("ftp", "unparsable_url"),
        ("s3", "unparsable_url"),
        ("gopher", "unparsable_url"),
        ("method", "policy_scope"),
        ("form", "policy_scope"),
        ("userinfo", "policy_scope"),
        ("authorization", "policy_scope"),
        ("http_auth", "robots_unreachable"),
        ("host_header", "no_permit"),
        ("host_header_too", "no_permit"),
        ("content", "no_permit"),
        ("content_length", "no_permit"),
        ("proxy", "no_permit"),
        ("proxy_far", "no_permit"),
        ("handlers", "no_permit"),
        ("handlers_declared", "no_permit"),
        ("listed_direct", "no_permit"),
        ("replay", "no_permit"),
        ("replay_copy", "no_permit"),
    ],
)
def test_an_attempt_gets_nothing_and_hears_the_reason(attempts, attempt, reason):
    assert attempts.got(attempt) == []
    assert attempts.refusals(attempt) == {reason}


@pytest.mark.parametrize(
    ("host", "path", "reason"),
    [
        ("a.localhost", "/private/meta", "robots_disallow"),
        ("a.localhost", "/private/slot", "robots_disallow"),
        ("a.localhost", "/private/engine", "robots_disallow"),
        ("a.localhost", "/private/redirect", "robots_disallow"),
        ("a.localhost", "/private/refresh", "robots_disallow"),
        ("pirate.localhost", "/film", "piracy_list"),
        ("a.localhost", "/open?by=method", "policy_scope"),
        ("a.localhost", "/open?by=form", "policy_scope"),
        ("a.localhost", "/open?by=authorization", "policy_scope"),
        ("auth.localhost", "/robots.txt", "no_permit"),
        ("a.localhost", "/open?by=host", "no_permit"),
        ("a.localhost", "/open?by=proxy", "no_permit"),
        ("a.localhost", "/open?by=handlers", "no_permit"),
        ("a.localhost", "/open?by=declared", "no_permit"),
        ("a.localhost", "/plain", "no_permit"),
        ("pirate.localhost", "/direct", "no_permit"),
    ],
)
def test_each_stopped_attempt_has_its_record(attempts, host, path, reason):
    reasons = {one.reason for one in attempts.crawl.of(url=attempts.web.url(host, path), verdict="skip")}
    assert reason in reasons


def test_addresses_without_a_door_have_their_records(attempts):
    schemes = {one.url.split(":")[0] for one in attempts.crawl.of(reason="unparsable_url") if one.url}
    assert schemes >= {"file", "data", "ftp", "s3", "gopher"}


def test_a_page_asked_for_once_was_sent_once_whatever_was_replayed(attempts):
    assert Counter(attempts.web.paths("a.localhost"))["/plain"] == 1


RIVALS = '''
from scrapy import Request, Spider
from scrapy.core.downloader import Downloader
from scrapy.http import HtmlResponse

class OpenDownloader(Downloader):
    """A downloader that asks nobody."""

class Early:
    """Before any rule was asked."""
    def process_request(self, request):
        if "early=answer" in request.url:
            return HtmlResponse(request.url, body=b"<title>made up</title>", request=request)
        if "early=private" in request.url:
            request._set_url(request.url.replace("/open", "/private/early"))

class Middle:
    """After the robots rule, before the record."""
    def process_request(self, request):
        if "middle=private" in request.url:
            request._set_url(request.url.replace("/open", "/private/middle"))
        if "middle=auth" in request.url:
            request.headers["Authorization"] = "Basic eDp5"

class Late:
    """After the permit was issued."""
    def process_request(self, request):
        url = request.url
        if "late=private" in url:
            request._set_url(url.replace("/open", "/private/late"))
        elif "late=host" in url:
            request._set_url(url.replace("a.localhost", "pirate.localhost"))
        elif "late=replace" in url:
            return request.replace(url=url.replace("/open", "/private/replaced").split("?")[0])
        elif "late=agent" in url:
            request.headers["User-Agent"] = "EvilLate/1.0"
        elif "late=more-agents" in url:
            request.headers.setlist("User-Agent", ["EvilLate/1.0", request.headers["User-Agent"]])
        elif "late=no-agent" in url:
            del request.headers["User-Agent"]
        elif "late=method" in url:
            request.method = "POST"
        elif "late=auth" in url:
            request.headers["Authorization"] = "Basic eDp5"
        elif "late=vhost" in url:
            request.headers["Host"] = "pirate.localhost"
        elif "late=proxy" in url:
            request.meta["proxy"] = request.url.split("?")[0].replace("a.localhost", "pirate.localhost")
        elif "late=body" in url:
            request._set_body(b"q=1")

class Rivals(Spider):
    name = "rivals"
    custom_settings = {
        "ADDONS": {},
        "DOWNLOADER": "spiders.rivals.OpenDownloader",
        "DOWNLOADER_MIDDLEWARES": {
            "crawler.middlewares.identity.IdentityMiddleware": None,
            "crawler.middlewares.piracy.PiracyMiddleware": None,
            "crawler.middlewares.robots.RobotsMiddleware": None,
            "crawler.middlewares.access.AccessPageMiddleware": None,
            "crawler.middlewares.access.AccessHeadMiddleware": None,
            "crawler.middlewares.pace.PaceMiddleware": None,
            "crawler.middlewares.record.RecordMiddleware": None,
            "scrapy.downloadermiddlewares.useragent.UserAgentMiddleware": 500,
            "scrapy.downloadermiddlewares.httpcache.HttpCacheMiddleware": 900,
            "spiders.rivals.Early": 5,
            "spiders.rivals.Middle": 500,
            "spiders.rivals.Late": 895,
        },
        "SPIDER_MIDDLEWARES": {
            "crawler.middlewares.links.RecordedDepthMiddleware": None,
            "crawler.middlewares.links.RecordedUrlLengthMiddleware": None,
        },
        "EXTENSIONS": {"crawler.extensions.guard.Guard": None},
        "DOWNLOAD_HANDLERS": {"file": "scrapy.core.downloader.handlers.file.FileDownloadHandler"},
        "ITEM_PIPELINES": {"scrapy.pipelines.files.FilesPipeline": 1},
        "FILES_STORE": "files",
        "HTTPCACHE_ENABLED": True,
        "ROBOTSTXT_OBEY": False,
        "REMOTE_CONTROL_ENABLED": True,
        "TELNETCONSOLE_ENABLED": True,
        "USER_AGENT": "EvilSettings/1.0",
    }

    async def start(self):
        a = "http://a.localhost:%s" % self.port
        for name in self.queries.split(","):
            yield Request(a + "/open?" + name, callback=self.parse, errback=self.failed,
                          cb_kwargs={"attempt": name})
        yield {"attempt": "files", "file_urls": [
            a + "/private/file.pdf", a + "/file.pdf", "file:///etc/hostname",
            "http://pirate.localhost:%s/file.pdf" % self.port]}

    def parse(self, response, attempt):
        yield {"attempt": attempt, "got": response.url}

    def failed(self, failure):
        attempt = failure.request.cb_kwargs["attempt"]
        yield {"attempt": attempt, "refused": str(getattr(failure.value, "reason", type(failure.value).__name__))}
'''
CHANGED_AFTER_THE_DECISION = (
    *("late=private", "late=host", "late=method", "late=agent", "late=more-agents", "late=no-agent"),
    *("late=auth", "late=vhost", "late=proxy", "late=body"),
)
QUERIES = ("plain", "early=answer", "early=private", "middle=private", "middle=auth", "late=replace")


@pytest.fixture(scope="module")
def rivals(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("rivals"))
    project.write("spiders/rivals.py", RIVALS)
    with Web() as web:
        web.default = page("open to all")
        for host in ("a.localhost", "pirate.localhost"):
            web.add(host, "/robots.txt", robots("User-agent: *\nDisallow: /private\n"))
        queries = ",".join((*QUERIES, *CHANGED_AFTER_THE_DECISION))
        crawl = project.scrapy(
            "crawl", "rivals", "-a", f"port={web.port}", "-a", f"queries={queries}", "-o", "items.jsonl"
        )
        yield Outcome(web, crawl)


def test_switching_our_components_off_in_a_spider_changes_nothing(rivals):
    assert rivals.crawl.code == 0, rivals.crawl.stderr
    assert rivals.got("plain") == [rivals.web.url("a.localhost", "/open?plain")]
    assert [one.reason for one in rivals.crawl.of(stage="run")] == ["run_opened", "guard_armed", "run_closed"]
    assert undecided(rivals.web, rivals.web.received, rivals.crawl.records) == []
    assert {one.headers["user-agent"] for one in rivals.web.received} == {DECLARED}
    assert [one for one in rivals.web.received if "/private" in one.path or "pirate" in one.host] == []


def test_a_cache_that_a_spider_switches_on_keeps_nothing(rivals):
    assert not (rivals.crawl.folder / ".scrapy" / "httpcache").exists()


@pytest.mark.parametrize("attempt", CHANGED_AFTER_THE_DECISION)
def test_a_request_that_was_changed_after_its_decision_is_stopped_at_the_door(rivals, attempt):
    assert rivals.refusals(attempt) == {"no_permit"}
    assert [one for one in rivals.web.received if attempt in one.path] == []
    records = [one for one in rivals.crawl.of(reason="no_permit") if one.url and attempt in one.url]
    assert len(records) == 1


def test_a_request_changed_between_the_rules_and_the_record_is_refused_and_recorded(rivals):
    for attempt, path in (("middle=private", "/private/middle"), ("middle=auth", "/open")):
        assert rivals.refusals(attempt) == {"no_permit"}
        assert [one for one in rivals.web.received if attempt in one.path] == []
        records = [one for one in rivals.crawl.of(reason="no_permit") if one.url and attempt in one.url]
        assert len(records) == 1, path


def test_a_request_changed_before_the_rules_are_asked_is_refused_by_them_or_for_the_change(rivals):
    assert rivals.refusals("early=private") <= {"robots_disallow", "no_permit"}
    assert rivals.refusals("early=private")


def test_a_replacement_is_judged_anew(rivals):
    assert rivals.refusals("late=replace") == {"robots_disallow"}
    url = rivals.web.url("a.localhost", "/private/replaced")
    assert rivals.crawl.reason(url) == "robots_disallow"


def test_a_response_that_nobody_sent_is_not_handed_to_the_spider(rivals):
    assert rivals.got("early=answer") == []


def test_files_are_downloaded_through_the_same_door(rivals):
    web = rivals.web
    assert [one.path for one in web.received if one.path.endswith(".pdf")] == ["/file.pdf"]
    assert rivals.crawl.reason(web.url("a.localhost", "/private/file.pdf")) == "robots_disallow"
    assert rivals.crawl.reason(web.url("pirate.localhost", "/file.pdf")) == "piracy_list"
    assert rivals.crawl.reason("file:///etc/hostname") == "unparsable_url"
    assert len(list((rivals.crawl.folder / "files").rglob("*.pdf"))) == 1


INSIDE = """
from scrapy import Request, Spider
from scrapy.core.downloader import Downloader

class OpenDownloader(Downloader):
    pass

class Inside(Spider):
    name = "inside"

    @classmethod
    def from_crawler(cls, crawler, *arguments, **named):
        crawler.settings.set({name!r}, {value!r}, priority=2000)
        return super().from_crawler(crawler, *arguments, **named)

    async def start(self):
        yield Request(self.url)
"""
OVERRIDES = {
    "downloader": ("DOWNLOADER", "spiders.inside.OpenDownloader"),
    "middlewares": ("DOWNLOADER_MIDDLEWARES", {"crawler.middlewares.robots.RobotsMiddleware": None}),
    "extensions": ("EXTENSIONS", {}),
}


@pytest.mark.parametrize("override", OVERRIDES)
def test_a_spider_that_overrides_even_pinned_settings_starts_nothing_and_the_exit_says_so(
    web, project, override
):
    name, value = OVERRIDES[override]
    project.write(
        "spiders/inside.py", INSIDE.replace("{name!r}", repr(name)).replace("{value!r}", repr(value))
    )
    web.site("a.localhost", "", x=page())
    crawl = project.scrapy("crawl", "inside", "-a", f"url={web.url('a.localhost', '/x')}")
    assert web.received == []
    assert crawl.code != 0
    assert "sekisho: " in crawl.stderr
    assert "guard_armed" not in {one.reason for one in crawl.records}


LATER = """
class Later:
    def update_settings(self, settings):
        settings.set({name!r}, {value!r}, priority=2000)
"""


@pytest.mark.parametrize("override", OVERRIDES)
def test_an_add_on_that_takes_our_parts_out_after_we_looked_sends_nothing(web, project, override):
    name, value = OVERRIDES[override]
    project.write(
        "spiders/inside.py", INSIDE.replace("crawler.settings.set({name!r}, {value!r}, priority=2000)", "")
    )
    project.write("later.py", LATER.replace("{name!r}", repr(name)).replace("{value!r}", repr(value)))
    project.append("project_settings.py", "\nADDONS['later.Later'] = 900\n")
    web.site("localhost", "", x=page())
    # An address, since the resolver of `*.localhost` is one of the extensions.
    crawl = project.scrapy("crawl", "inside", "-a", f"url=http://127.0.0.1:{web.port}/x")
    assert web.received == []
    assert crawl.of(verdict="fetch") == []
    assert crawl.code == 5  # refused; the guard stands in no table that could be emptied


@pytest.mark.parametrize("command", [("fetch",), ("shell", "-c", "response and response.status")])
def test_other_scrapy_commands_stand_before_the_same_door(web, project, command):
    web.site("a.localhost", "User-agent: *\nDisallow: /private\n", private=page())
    url = web.url("a.localhost", "/private")
    crawl = project.scrapy(*command, url)
    assert web.paths() == ["/robots.txt"]
    assert crawl.reason(url) == "robots_disallow"
    assert "<title>" not in crawl.stdout


def test_a_permit_does_not_survive_a_middleware_that_sends_a_request_twice(web, project):
    project.write(
        "spiders/twice.py",
        '''
from scrapy import Request, Spider

class Twice:
    """Sends by itself what is about to be sent, and lets it go on."""
    def __init__(self, crawler):
        self.crawler = crawler
    @classmethod
    def from_crawler(cls, crawler):
        return cls(crawler)
    async def process_request(self, request):
        if request.url.endswith("/x"):
            handlers = self.crawler.engine.downloader.handlers
            await handlers.download_request_async(request)

class TwiceSpider(Spider):
    name = "twice"
    custom_settings = {"DOWNLOADER_MIDDLEWARES": {"spiders.twice.Twice": 895}}
    async def start(self):
        yield Request(self.url)
    def parse(self, response):
        yield {"url": response.url}
''',
    )
    web.site("a.localhost", "", x=page())
    crawl = project.scrapy("crawl", "twice", "-a", f"url={web.url('a.localhost', '/x')}")
    assert web.paths() == ["/robots.txt", "/x"]
    assert crawl.reason(web.url("a.localhost", "/x")) == "no_permit"
