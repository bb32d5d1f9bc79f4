"""The road end to end: what the server received, against what the log says."""

from loopback import page, robots


def test_an_allowed_page_is_fetched_kept_and_recorded_before_it_was_received(web, project):
    web.site("a.localhost", "User-agent: *\nDisallow: /private\n", x=page("hello"))
    crawl = project.crawl(web.url("a.localhost", "/x"))
    assert crawl.code == 0, crawl.stderr
    assert web.paths() == ["/robots.txt", "/x"]
    assert crawl.kept() == [web.url("a.localhost", "/x")]
    decided = {one.url: one.ts_us for one in crawl.of(stage="request", verdict="fetch")}
    for received in web.received:
        assert decided[web.url(received.host, received.path)] <= received.at
        assert (
            received.headers["user-agent"]
            == "Mozilla/5.0 (compatible; ExampleBot/1.0; +https://bot.example.com/)"
        )
    assert [one.reason for one in crawl.of(stage="run")] == ["run_opened", "guard_armed", "run_closed"]


def test_a_disallowed_page_is_not_asked_for_and_the_line_is_in_the_log(web, project):
    web.site("a.localhost", "User-agent: *\nDisallow: /private\n", private=page())
    crawl = project.crawl(web.url("a.localhost", "/private"))
    assert web.paths() == ["/robots.txt"]
    assert crawl.reason(web.url("a.localhost", "/private")) == "robots_disallow"
    shown = project.sekisho("log", "export", "--log", "sqlite:///log.db", "--reason", "robots_disallow")
    assert '"line":2' in shown.stdout
    assert '"text":"Disallow: /private"' in shown.stdout


def test_a_listed_domain_receives_nothing_whoever_links_redirects_or_refreshes_to_it(web, project):
    pirate = web.url("pirate.localhost", "/film")
    web.site(
        "a.localhost",
        "",
        start=page(f'<a href="{pirate}">x</a><a href="/hop">x</a><a href="/refresh">x</a>'),
        hop=page(status=302, headers=(("Location", pirate),)),
        refresh=page(f'<meta http-equiv="refresh" content="0; url={pirate}">'),
    )
    project.append("project_settings.py", "\nMETAREFRESH_ENABLED = True\n")
    crawl = project.crawl(web.url("a.localhost", "/start"), pirate)
    assert web.paths("pirate.localhost") == []
    assert crawl.reason(pirate) == "piracy_list"
    assert (
        "T-1"
        in project.sekisho("log", "export", "--log", "sqlite:///log.db", "--reason", "piracy_list").stdout
    )


def test_the_log_of_a_crawl_verifies(web, project):
    web.site("a.localhost", "", x=page())
    project.crawl(web.url("a.localhost", "/x"))
    verified = project.sekisho("log", "verify", "--log", "sqlite:///log.db")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_robots_txt_that_redirects_elsewhere_counts_for_the_host_that_was_asked(web, project):
    web.site(
        "a.localhost",
        robots("", status=302, headers=(("Location", web.url("b.localhost", "/robots.txt")),)),
        x=page(),
    )
    web.site("b.localhost", "User-agent: *\nDisallow: /x\n")
    crawl = project.crawl(web.url("a.localhost", "/x"))
    assert web.paths("a.localhost") == ["/robots.txt"]
    assert web.paths("b.localhost") == ["/robots.txt"]
    assert crawl.reason(web.url("a.localhost", "/x")) == "robots_disallow"
