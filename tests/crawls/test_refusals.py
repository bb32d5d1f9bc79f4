"""A refusal is asked for once: not again with cookies, a session, a proxy, another method or a stubborn component.

One crawl meets every kind of refusal, with a spider and a middleware that do all they can to go round it.
"""

import gzip
import hashlib
import json
import logging

import pytest
from arrivals import undecided
from loopback import Project, Reply, Web, page, robots

SECRET = "behind the wall"
SPIDER = '''
import json
from pathlib import Path
from scrapy import Request, Spider

class Stubborn(Spider):
    """Asks again in every guise for whatever was refused."""
    name = "stubborn"

    async def start(self):
        self.plan = json.loads(Path("plan.json").read_text())
        for url in self.plan["urls"]:
            yield Request(url, callback=self.parse, errback=self.again)
        for number, (url, how) in enumerate(self.plan["attempts"]):
            yield Request(url, callback=self.parse, errback=self.failed, **how)

    def parse(self, response):
        yield {"url": response.url, "status": response.status, "body": response.text, "flags": response.flags}
        for link in response.css("link[rel=canonical]::attr(href)").getall():
            yield response.follow(link, callback=self.parse, errback=self.failed)
        for link in response.css("a.next::attr(href)").getall():
            yield response.follow(link, callback=self.parse, errback=self.failed)

    def failed(self, failure):
        yield {"url": failure.request.url, "reason": str(getattr(failure.value, "reason", ""))}

    def again(self, failure):
        request = failure.request
        yield {"url": request.url, "reason": str(getattr(failure.value, "reason", ""))}
        guises = (
            {"meta": {"cookiejar": "fresh"}},
            {"meta": {"proxy": self.plan["proxy"]}},
            {"headers": {"User-Agent": "Mozilla/5.0 (Windows NT 10.0)"}},
            {"headers": {"Accept-Language": "ja", "Referer": "https://www.google.com/"}},
            {"method": "HEAD"},
            {"url": request.url + "#fragment"},
        )
        for guise in guises:
            yield Request(**({"url": request.url} | guise), dont_filter=True, callback=self.parse,
                          errback=self.failed)
'''
MIDDLEWARE = '''
class Rotating:
    """What projects put in place to get past a block: a new request for whatever failed, of any kind."""

    def process_exception(self, request, exception):
        if hasattr(exception, "reason") and request.meta.get("rotated", 0) < 3:
            return request.replace(dont_filter=True, meta={"rotated": request.meta.get("rotated", 0) + 1,
                                                           "cookiejar": "another"})

    def process_response(self, request, response):
        if response.status in (202, 401, 402, 403, 429, 451, 503) and request.meta.get("rotated", 0) < 3:
            return request.replace(dont_filter=True, meta={"rotated": request.meta.get("rotated", 0) + 1})
        return response
'''
CHALLENGE = (
    b"<html><head><title>Just a moment...</title></head><body><noscript>Enable JavaScript</noscript><script>"
    b'window._cf_chl_opt={};a.src="/cdn-cgi/challenge-platform/h/b/orchestrate/chl_page/v1"</script></body></html>'
)
HTML = ("Content-Type", "text/html; charset=utf-8")
PIANO = '<script src="https://cdn.tinypass.com/api/tinypass.min.js"></script>'
PROSE = "The council voted on Tuesday to widen the lane along the canal, after two years of argument. " * 20


def ld(value):
    return f'<script type="application/ld+json">{json.dumps(value)}</script>'


# Path, reply, reason.
REFUSED = {
    "/case-62": (page(SECRET, status=401, headers=(("WWW-Authenticate", 'License error="x"'),)), "http_401"),
    "/case-63-price": (page(SECRET, status=402, headers=(("crawler-price", "USD 0.01"),)), "http_402"),
    "/case-63-bare": (page(SECRET, status=402), "http_402"),
    "/case-63-charged": (page(SECRET, headers=(("crawler-charged", "USD 0.01"),)), "crawler_charged"),
    "/403": (page(SECRET, status=403, headers=(("Set-Cookie", "pass=1"),)), "http_403"),
    "/credentials": (page(SECRET, headers=(("WWW-Authenticate", "Basic"),)), "credentials_requested"),
    "/case-64": (Reply(202, (("x-amzn-waf-action", "challenge"),)), "bot_challenge"),
    "/case-64-captcha": (page(SECRET, status=405, headers=(("x-amzn-waf-action", "captcha"),)), "bot_challenge"),
    "/case-65-200": (page(SECRET, headers=(("cf-mitigated", "challenge"),)), "bot_challenge"),
    "/case-65-403": (page(SECRET, status=403, headers=(("cf-mitigated", "challenge"),)), "bot_challenge"),
    "/case-65-503": (page(SECRET, status=503, headers=(("cf-mitigated", "challenge"),)), "bot_challenge"),
    "/challenge-200-page": (Reply(200, (HTML,), CHALLENGE), "bot_challenge"),
    "/challenge-503-page": (Reply(503, (HTML,), CHALLENGE), "bot_challenge"),
    "/challenge-429-gzip": (
        Reply(429, (HTML, ("Content-Encoding", "gzip")), gzip.compress(CHALLENGE)),
        "bot_challenge",
    ),
    "/datadome": (page(SECRET, status=403, headers=(("x-datadome", "protected"),)), "bot_challenge"),
    "/case-67": (
        page(SECRET, status=451, headers=(("Link", '<https://court.example/7>; rel="blocked-by"'),)),
        "legal_block",
    ),
    "/case-61-after-redirect": (
        page(SECRET, status=302, headers=(("Location", "/desk?no=7"),)),
        "redirect",
    ),
    "/case-61-login": (
        page('<h1>Members</h1><form><input name="u"><input type="password" name="p"></form>'),
        "login_required",
    ),
    "/case-74-login": (
        Reply(200, (HTML,), b'<html><head><meta http-equiv="refresh" content="0;url=/login"></head></html>'),
        "login_required",
    ),
    "/case-74-script": (
        Reply(200, (HTML,), b'<html><script>location.replace("/login?x=1")</script></html>'),
        "login_required",
    ),
    "/case-56": (page(ld({"@graph": [{"@type": "Article", "isAccessibleForFree": "False"}]}) + SECRET),
                 "paywall_structured_data"),
    "/case-59": (
        Reply(200, (HTML,), b'<head><meta property="article:content_tier" content="free">'
              b'<meta property="article:content_tier" content="locked"></head><body>' + SECRET.encode()),
        "paywall_markup",
    ),
    "/metered": (
        Reply(200, (HTML,), b'<head><meta property="article:content_tier" content="metered"></head><body>'
              + SECRET.encode()),
        "paywall_metered",
    ),
    "/gate": (page(f"{PIANO}<p>{SECRET}</p><h3>Subscribe to continue reading</h3>"), "paywall_gate"),
}  # fmt: skip
KEPT = {
    "/case-56-related": page(
        ld({"@type": "Article", "mentions": {"@type": "Article", "isAccessibleForFree": False}}) + PROSE
    ),
    "/case-58": page(
        ld(
            {
                "@type": "Article",
                "isAccessibleForFree": True,
                "hasPart": {"@type": "WebPageElement", "isAccessibleForFree": False, "cssSelector": ".paid"},
            }
        )
        + f'<p>{PROSE}</p><div class="box paid"><div>{SECRET}</div></div><p>and an end</p>'
    ),
    "/case-60": page(f"{PIANO}<p>{PROSE}</p>"),
    "/case-61-header": page(f'<header><form><input type="password"></form></header><p>{PROSE}</p>'),
    "/case-66": page(f'<script src="https://www.google.com/recaptcha/api.js"></script><p>{PROSE}</p>'),
    "/priced": page(PROSE, headers=(("crawler-price", "USD 0.01"),)),
    "/sets-cookie": page(
        f'<a class="next" href="/wants-cookie">n</a><p>{PROSE}</p>',
        headers=(("Set-Cookie", "lang=ja; Path=/"),),
    ),
    "/wants-cookie": page(PROSE),
}


class Met:
    """The crawl, and what its spider was given."""

    def __init__(self, web, project, crawl):
        self.web = web
        self.project = project
        self.crawl = crawl
        assert crawl.code == 0, crawl.stderr[-3000:]
        lines = (project.folder / "items.jsonl").read_text().splitlines()
        self.items = [json.loads(line) for line in lines]

    def url(self, path):
        return self.web.url("a.localhost", path)

    def said(self, path):
        """Return the reasons that the spider heard for an address, in order."""
        return [one["reason"] for one in self.items if one["url"].partition("#")[0] == self.url(path)]


def _sites(web):
    web.site("a.localhost", "")
    for path, (reply, _) in REFUSED.items():
        web.add("a.localhost", path, reply)
    for path, reply in KEPT.items():
        web.add("a.localhost", path, reply)
    web.site("closed.localhost", "User-agent: *\nDisallow: /\n", hop=page(SECRET))
    web.site(
        "guarded.localhost",
        robots("User-agent: *\nDisallow:\n", headers=(("cf-mitigated", "challenge"),)),
        x=page(SECRET),
    )
    web.add("a.localhost", "/desk?no=7", REFUSED["/case-61-login"][0])
    away = web.url("closed.localhost", "/hop")
    refresh = (
        f'<html><head><meta http-equiv="refresh" content="1; url={away}"></head><body>Moved</body></html>'
    )
    web.add("a.localhost", "/case-74-refresh", Reply(200, (HTML,), refresh.encode()))
    onward = (
        '<html><head><meta http-equiv="refresh" content="0; url=/landing"></head><body>Moved</body></html>'
    )
    web.add("a.localhost", "/bounce", Reply(200, (HTML,), onward.encode()))
    web.add("a.localhost", "/landing", page(PROSE))
    canonical = f'<html><head><link rel="canonical" href="{away}"></head><body>{PROSE}</body></html>'
    web.add("a.localhost", "/case-74-canonical", Reply(200, (HTML,), canonical.encode()))
    web.add("a.localhost", "/case-68-amp", page(f'<a class="next" href="{away}">amp</a>{PROSE}'))
    return [
        *(web.url("a.localhost", path) for path in (*REFUSED, *KEPT) if path != "/wants-cookie"),
        *(
            web.url("a.localhost", path)
            for path in ("/case-74-refresh", "/bounce", "/case-74-canonical", "/case-68-amp")
        ),
        web.url("guarded.localhost", "/x"),
    ]


@pytest.fixture(scope="module")
def met(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("met"))
    project.write("spiders/stubborn.py", SPIDER)
    project.write("rotating.py", MIDDLEWARE)
    project.append(
        "project_settings.py",
        "\nRETRY_HTTP_CODES = [202, 401, 402, 403, 405, 429, 451, 500, 503]\n"
        'DOWNLOADER_MIDDLEWARES = {"rotating.Rotating": 551}\n',
    )
    with Web() as web:
        urls = _sites(web)
        brought = web.url("a.localhost", "/brought-cookie")
        header = web.url("a.localhost", "/cookie-header")
        web.add("a.localhost", "/brought-cookie", page(SECRET))
        web.add("a.localhost", "/cookie-header", page(PROSE))
        attempts = [
            (brought, {"cookies": {"session": "abc"}}),
            (header, {"headers": {"Cookie": "session=abc"}, "meta": {"dont_merge_cookies": True}}),
            (web.url("a.localhost", "/auth"), {"headers": {"Authorization": "License abc"}}),
        ]
        plan = {"urls": urls, "attempts": attempts, "proxy": web.url("a.localhost", "")}
        project.write("plan.json", json.dumps(plan))
        crawl = project.scrapy("crawl", "stubborn", "-o", "items.jsonl", timeout=120)
        yield Met(web, project, crawl)


def test_everything_that_arrived_had_been_decided_and_nothing_closed_was_handed_over(met):
    assert undecided(met.web, met.web.received, met.crawl.records) == []
    assert [one for one in met.items if SECRET in one.get("body", "")] == []


@pytest.mark.parametrize("path", REFUSED)
def test_cases_56_to_67_what_is_refused_is_asked_for_once_whatever_guise_comes_after(met, path):
    reason = REFUSED[path][1]
    arrived = [one for one in met.web.received if one.path.endswith(path)]
    assert [(one.method, one.path) for one in arrived] == [("GET", path)]
    judged = met.crawl.of(url=met.url(path), stage="response")
    assert [(one.verdict, one.reason) for one in judged] == [("skip", reason)]
    if reason == "redirect":
        return
    before = met.crawl.of(url=met.url(path), stage="request", verdict="skip")
    assert before
    assert {one.reason for one in before} == {reason}
    assert set(met.said(path)) == {reason}


def test_case_61_a_login_behind_a_redirect_is_refused_by_its_page(met):
    assert met.web.paths().count("/desk?no=7") == 1
    assert met.crawl.reason(met.url("/desk?no=7")) == "login_required"


@pytest.mark.parametrize("path", KEPT)
def test_cases_56_60_61_and_66_what_is_open_is_kept(met, path):
    assert met.url(path) in met.crawl.kept()


def test_case_58_of_a_free_page_with_a_closed_part_the_rest_is_kept(met):
    (given,) = [one for one in met.items if one["url"] == met.url("/case-58")]
    assert "and an end" in given["body"]
    assert "script" not in given["body"]
    (kept,) = met.crawl.of(url=met.url("/case-58"), stage="response")
    assert kept.size == len(given["body"].encode())
    assert kept.body_sha256 == hashlib.sha256(given["body"].encode()).hexdigest()


def test_case_63_a_charge_is_an_alarm_on_the_crawls_own_log(met):
    assert "crawl was charged" in met.crawl.stderr
    assert f" {logging.getLevelName(logging.CRITICAL)}: " in met.crawl.stderr
    assert [one for one in met.web.received if "crawler-max-price" in one.headers] == []
    assert [one for one in met.web.received if "crawler-exact-price" in one.headers] == []


def test_case_6_a_challenge_in_place_of_robots_txt_closes_the_site(met):
    assert met.web.paths("guarded.localhost") == ["/robots.txt"]
    assert met.crawl.reason(met.web.url("guarded.localhost", "/x")) == "robots_unreachable"


def test_cases_68_and_74_a_hop_by_refresh_canonical_or_link_is_judged_before_it_is_fetched(met):
    assert met.web.paths("closed.localhost") == ["/robots.txt"]
    assert met.crawl.reason(met.web.url("closed.localhost", "/hop")) == "robots_disallow"
    assert met.crawl.reason(met.url("/case-74-refresh")) == "redirect"
    assert {met.url("/case-74-canonical"), met.url("/case-68-amp")} <= set(met.crawl.kept())


def test_case_74_a_login_by_refresh_or_script_is_not_followed(met):
    assert [path for path in met.web.paths() if path.startswith("/login")] == []


def test_case_74_a_page_that_only_leads_elsewhere_is_a_redirect_and_what_lies_behind_is_kept(met):
    (bounce,) = met.crawl.of(url=met.url("/bounce"), stage="response")
    assert (bounce.verdict, bounce.reason, bounce.size) == ("skip", "redirect", 0)
    assert met.url("/landing") in met.crawl.kept()
    assert met.crawl.of(url=met.url("/landing"), stage="request")[0].parent_url == met.url("/bounce")


def test_cookies_of_the_spider_are_not_sent_and_those_of_the_site_are(met):
    assert met.crawl.reason(met.url("/brought-cookie")) == "policy_scope"
    assert met.crawl.reason(met.url("/cookie-header")) == "no_permit"
    assert met.crawl.reason(met.url("/auth")) == "policy_scope"
    arrived = {one.path: one.headers.get("cookie", "") for one in met.web.received}
    assert not {"/brought-cookie", "/auth"} & set(arrived)
    assert "session=abc" not in " ".join(arrived.values())  # without the cookie it may be asked for
    assert arrived["/wants-cookie"] == "lang=ja"
    assert "pass=1" not in " ".join(arrived.values())  # a refusal sets no cookie
