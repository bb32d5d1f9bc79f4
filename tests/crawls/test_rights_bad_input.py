"""Files and headers of rights that are broken on purpose: each judged, each recorded, none of them fatal."""

import pytest
from arrivals import undecided
from loopback import Project, Reply, Web, page, robots

JSON = (("Content-Type", "application/json"),)
TEXT = (("Content-Type", "text/plain"),)
RSL = (("Content-Type", "application/rsl+xml"),)
TDMREP = "/.well-known/tdmrep.json"
LOGIN = page('<title>Sign in</title><form action="/login"><input name="u"><input type="password"></form>')
LAUGHS = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(20))
BOMB = f'<!DOCTYPE r [<!ENTITY a0 "ha">{LAUGHS}]><rsl>&a20;</rsl>'
LONG = "search=y, " * 1_000  # 10 kB, more than a structured field may have


def tdmrep(text):
    return {TDMREP: Reply(200, JSON, text.encode())}


def headed(*headers):
    return page("text", headers=headers)


def to(where):
    return Reply(302, (("Location", where),))


# Host: robots.txt, files of rights, the page, and the reason why it is refused ("" where it is kept).
CASES = {
    "duplicate-keys": ("", tdmrep('[{"location": "*", "tdm-reservation": 0, "tdm-reservation": 1}]'), page(), "tdm_reservation"),
    "deep-json": ("", tdmrep("[" * 10_000 + "]" * 10_000), page(), ""),
    "deep-objects": ("", tdmrep('{"a":' * 10_000), page(), ""),
    "bomb": ("License: {a}/l.rsl\n", {"/l.rsl": Reply(200, RSL, BOMB.encode())}, page(), "licence_unknown"),
    "entity": (
        "License: {a}/l.rsl\n",
        {"/l.rsl": Reply(200, RSL, b'<!DOCTYPE r [<!ENTITY a SYSTEM "{a}/stolen">]><rsl>&a;</rsl>')},
        page(),
        "licence_unknown",
    ),
    "parameter-entity": (
        "License: {a}/l.rsl\n",
        {"/l.rsl": Reply(200, RSL, b'<!DOCTYPE r [<!ENTITY % a SYSTEM "{a}/stolen"> %a;]><rsl/>')},
        page(),
        "licence_unknown",
    ),
    "login-for-licence": ("License: {a}/l.rsl\n", {"/l.rsl": LOGIN}, page(), "licence_unknown"),
    "login-for-files": ("", {TDMREP: LOGIN, "/ai.txt": LOGIN, "/trust.txt": LOGIN}, page(), ""),
    "to-login-for-files": ("", {TDMREP: to("/login?next=/"), "/ai.txt": to("/login"), "/login": LOGIN}, page(), ""),
    "loop-among-files": ("", {TDMREP: to("/ai.txt"), "/ai.txt": to("/trust.txt"), "/trust.txt": to(TDMREP)}, page(), ""),
    "wrong-case": ("User-agent: *\nContent-Usage: Train-AI=n\n", {}, page(), ""),
    "wrong-type": ("User-agent: *\nContent-Usage: train-ai=?0, search=(a b)\n", {}, page(), ""),
    "repeated-headers": ("", {}, headed(*[("X-Robots-Tag", "all")] * 60, ("X-Robots-Tag", "noai")), "noai"),
    "repeated-usage": ("", {}, headed(*[("Content-Usage", "train-ai=y")] * 60, ("Content-Usage", "train-ai=n")), "usage_preference"),
    "long-header": ("", {}, headed(("Content-Usage", f"{LONG}train-ai=n")), None),
    "longest-header": ("", {}, headed(("X-Robots-Tag", "noindex, " * 11_000)), None),
    "long-link": ("", {}, headed(("Link", '<{a}/x>; rel=license; type="application/rsl+xml", ' * 200)), None),
}  # fmt: skip


def _here(reply, base):
    """Return a reply whose octets name the address of its own site."""
    return Reply(reply.status, reply.headers, reply.body.replace(b"{a}", base.encode()))


@pytest.fixture(scope="module")
def met(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("rights_bad_input"))
    project.append("project_settings.py", "\nRETRY_ENABLED = False\nDOWNLOAD_TIMEOUT = 20\n")
    with Web() as web:
        urls = []
        for name, (rules, files, reply, _) in CASES.items():
            host = f"{name}.localhost"
            base = web.url(host, "")
            web.site(host, robots(rules.replace("{a}", base)))
            for path, file in files.items():
                web.add(host, path, _here(file, base))
            urls.append(web.add(host, "/x", reply))
        crawl = project.crawl(*urls, timeout=120)
        yield web, crawl


def test_a_crawl_that_meets_every_broken_statement_of_rights_ends_in_order(met):
    web, crawl = met
    assert crawl.code == 0, crawl.stderr[-3000:]
    assert crawl.of(stage="run")[-1].reason == "run_closed"
    assert undecided(web, web.received, crawl.records) == []


@pytest.mark.parametrize("name", CASES)
def test_a_broken_statement_is_judged_as_the_reference_says_and_its_page_has_its_outcome(met, name):
    web, crawl = met
    url = web.url(f"{name}.localhost", "/x")
    reason = CASES[name][3]
    outcome = "" if url in crawl.kept() else crawl.reason(url)
    if reason is None:
        assert crawl.of(url=url, stage="outcome")
    else:
        assert outcome == reason


def test_no_entity_of_a_licence_is_fetched_and_no_loop_is_followed_beyond_its_hops(met):
    web, _ = met
    assert [one for one in web.received if one.path == "/stolen"] == []
    for path in (TDMREP, "/ai.txt", "/trust.txt"):
        assert web.paths("loop-among-files.localhost").count(path) <= 6
