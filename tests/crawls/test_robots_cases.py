"""The numbered hard cases of robots.txt over the road: each on hosts of its own, asserted on what arrived.

How each octet is read stands in `tests/policies/signals/test_robots*.py`; here a server says what it received.
Pace and hours (cases 35 and 36) are in `test_pace_trouble.py`, bombs and dripping files in `test_bad_input.py`.
"""

from urllib.parse import quote

import pytest
from loopback import Project, Reply, Web, page, robots

OURS = "User-agent: ExampleBot\n"
ALL = "User-agent: *\n"
SHUT = "User-agent: *\nDisallow: /\n"
HTML = (("Content-Type", "text/html; charset=utf-8"),)
PAGE = page("open")
LINE = "# " + "x" * 97 + "\n"
LIMIT = 512_000  # octets that are read (RFC 9309 section 2.5)
# Octets up to the limit, so that it divides `Allow: /abc` behind its slash.
CUT = SHUT + "# " + "y" * (LIMIT - len(SHUT) - 3 - len("Allow: /")) + "\nAllow: /abc\n"

# Host (its case first), robots.txt, and which paths are asked for: those that arrive and those that must not.
CASES = {
    "c01": (robots("User-agent: *\nDisallow:\n", status=503), (), ("/x",)),
    "c02": (robots(ALL, status=429, headers=(("Retry-After", "120"),)), (), ("/x",)),
    "c03-closed": (Reply(close=True), (), ("/x",)),
    "c03-late": (Reply(200, (), b"", delay=30), (), ("/x",)),
    "c04": (robots(SHUT, status=404), ("/x",), ()),
    "c05": (Reply(200, HTML, b"<!doctype html><title>Not found</title><p>Nothing here"), ("/x",), ()),
    "c06": (Reply(200, (*HTML, ("cf-mitigated", "challenge")), b"<html>Just a moment..."), (), ("/x",)),
    "c12": ("User-agent: *\nCrawl-delay: 0.01\nUser-agent: CCBot\nDisallow: /no\n", ("/x",), ("/no",)),
    "c13-signal": ("User-agent: *\nContent-Signal: search=yes\nUser-agent: X\nDisallow: /no\n", ("/x",), ("/no",)),
    "c13-usage": ("User-agent: *\nContent-Usage: search=y\nUser-agent: X\nDisallow: /no\n", ("/x",), ("/no",)),
    "c13-other": ("User-agent: *\nSitemap: /s.xml\nX: y\nUser-agent: X\nDisallow: /no\n", ("/x",), ("/no",)),
    "c14": (f"{OURS}Disallow: /a\n\n{SHUT}\n{OURS}Disallow: /b\n", ("/x",), ("/a", "/b")),
    "c14-star": (f"{ALL}Content-Signal: search=yes\nAllow: /\n\n{ALL}Disallow: /no\n", ("/x",), ("/no",)),
    "c15-version": ("User-agent: ExampleBot/1.0\nDisallow: /\n", (), ("/x",)),
    "c15-star": ("User-agent: ExampleBot*\nDisallow: /\n", (), ("/x",)),
    "c15-foo": ("User-agent: * foo\nDisallow: /\n", (), ("/x",)),
    "c15-line": ("User-agent: * Allow: /\nDisallow: /\n", (), ("/x",)),
    "c16": (f"User-agent: Example\nAllow: /\n\n{SHUT}", (), ("/x",)),
    "c16-digits": (f"User-agent: ExampleBot42\nAllow: /\n\n{ALL}Disallow: /no\n", ("/x",), ("/no",)),
    "c17": (f"User-agent: ExampleBot-News\nAllow: /\n\n{SHUT}", (), ("/x",)),
    "c18": (f"{OURS}Disallow:\n\n{SHUT}", ("/x",), ()),
    "c19": (f"{ALL}Disallow: /x\nAllow: /x\n", ("/x",), ()),
    "c20": (f"{ALL}Allow: /page\nDisallow: /*.htm\n", ("/page",), ("/page.htm",)),
    "c21": (f"{ALL}Disallow: /a$\nDisallow: /c$d\n", ("/a?x",), ("/a", "/c$d", "/c%24d")),
    "c22": (f"{ALL}Disallow: /a%2Fb\nDisallow: /%7Eu\nDisallow: /%3cx\nDisallow: /q%3F\n", ("/a/b",),
            ("/a%2fb", "/~u", "/%3Cx", "/q%3fy")),
    "c23": (f"{ALL}Disallow: /ツ\nDisallow: /%E6%97%A5\n", ("/x",), ("/%E3%83%84", "/日")),
    "c24": (f"{ALL}Disallow: /a/\n", ("/x",), ("/x/../a/b",)),
    "c25": (SHUT.replace("\n", "\r"), (), ("/x",)),
    "c26": (f"{ALL}# a\x85Allow: /\n# b\x0bAllow: /\n# c\u2028Allow: /\nDisallow: /\n", (), ("/x",)),
    "c27": (f"{ALL}\0\0\nDisallow: /no\n", ("/x",), ("/no",)),
    "c28": (robots(b"\xff\xfe" + f"{ALL}Disallow: /no\n".encode("utf-16-le")), ("/x",), ("/no",)),
    "c28-broken": (robots(b"\xfe\xff\xd8\x00\xd8\x00\x00"), (), ("/x",)),
    "c29": (robots(f"{ALL}Disallow: /caf\xe9\n".encode("latin-1")), ("/caf", "/caf%C3%A9"), ("/caf%E9",)),
    "c30": (CUT, (), ("/x", "/abc")),
    "c31": (f"Disallow: /\n{ALL}Disallow: /no\n", ("/x",), ("/no",)),
    "c32": (f"{ALL}Disallow: x\nDisallow: http://c32.localhost/x\nDisallow: *no\n", ("/x",), ("/no",)),
    "c33": (f"<br />\n{ALL}<br />\nDisallow: /no<br />\n<br />\nDisallow: /shut\n", ("/x",), ("/shut",)),
    "c34": (SHUT, (), ("/x", "/robots.txt?x", "/Robots.txt")),
    # What the RFC permits and the second reader (Protego) refuses: nothing goes that either of them refuses.
    "second-18": (f"{OURS}\n{SHUT}", (), ("/x",)),
    "second-21": (f"{ALL}Disallow: /a$\n", ("/x",), ("/a$b",)),
    "second-22": (f"{ALL}Disallow: /q%3F\n", ("/x",), ("/q?y",)),
    "c71": (Reply(200, (("Content-Encoding", "gzip"),), b"\x1f\x8b garbage"), (), ("/x",)),
}  # fmt: skip


class Ran:
    """The crawl of all cases, and the web that it met."""

    def __init__(self, web, crawl):
        self.web, self.crawl = web, crawl

    def arrived(self, host):
        """Return what a host of these cases received beside its robots.txt."""
        return [path for path in self.web.paths(f"{host}.localhost") if path != "/robots.txt"]

    def asked(self, host):
        return self.web.paths(f"{host}.localhost").count("/robots.txt")

    def reason(self, host, path="/x"):
        return self.crawl.reason(self.web.url(f"{host}.localhost", quote(path, safe="/?%$=")))


def _redirected(web):
    """Add what is about redirects: of robots.txt, and of pages."""
    rules = robots(f"{ALL}Disallow: /no\n")
    for host in ("c07", "c10", "c68"):
        web.site(f"{host}-away.localhost", SHUT, x=PAGE)
    away = web.add("c07-rules.localhost", "/robots.txt", rules)
    web.add("c07.localhost", "/robots.txt", Reply(302, (("Location", away),)))
    for host, hops in (("c08-five", 5), ("c08-six", 6)):
        for hop in range(hops):
            name = f"/hop{hop}" if hop else "/robots.txt"
            web.add(f"{host}.localhost", name, Reply(302, (("Location", f"/hop{hop + 1}"),)))
        web.add(f"{host}.localhost", f"/hop{hops}", rules)
    web.add("c08-loop.localhost", "/robots.txt", Reply(302, (("Location", "/robots.txt"),)))
    web.site("c10.localhost", "", x=Reply(302, (("Location", web.url("c10-away.localhost", "/x")),)))
    amp = f'<html><head><link rel="amphtml" href="{web.url("c68-away.localhost", "/x")}"></head><body>'
    link = f'<a href="{web.url("c68-away.localhost", "/x")}">amp</a>'
    web.site("c68.localhost", "", x=Reply(200, HTML, (amp + link).encode()))
    return [
        *(web.url("c07.localhost", path) for path in ("/x", "/no")),
        *(
            web.url(f"c08-{name}.localhost", path)
            for name in ("five", "six", "loop")
            for path in ("/x", "/no")
        ),
        web.url("c10.localhost", "/x"),
        web.url("c68.localhost", "/x"),
        web.url("c68-away.localhost", "/x"),
    ]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("robots_cases"))
    project.append(
        "project_settings.py", "\nCONCURRENT_REQUESTS = 64\nDOWNLOAD_TIMEOUT = 10\nRETRY_ENABLED = False\n"
    )
    with Web() as web:
        web.default = PAGE
        urls = _redirected(web)
        for host, (file, open_paths, shut_paths) in CASES.items():
            web.site(f"{host}.localhost", file)
            urls += [web.url(f"{host}.localhost", path) for path in (*open_paths, *shut_paths)]
        web.site("c09.localhost", f"{ALL}Disallow: /no\n")
        web.site("c72.localhost", f"{ALL}Disallow: /no\n")
        web.site("xn--wgv71a.localhost", f"{ALL}Disallow: /no\n")
        port = web.port
        urls += [
            web.url("c09.localhost", "/x"),
            f"https://c09.localhost:{port}/x",  # another scheme: another file, and here no TLS behind the port
            f"http://C72.LocalHost.:{port}/no",
            f"http://user:pw@c72.localhost:{port}/no",
            f"http://c72.localhost:{port}/x",
            f"http://日本.localhost:{port}/no",
            f"http://日本.localhost:{port}/x",
        ]
        project.write("urls.txt", "\n".join(urls))
        project.write(
            "spiders/cases.py",
            "from pathlib import Path\nfrom scrapy import Request, Spider\n\n\nclass Cases(Spider):\n"
            "    name = 'cases'\n\n    async def start(self):\n"
            "        for url in Path('urls.txt').read_text().splitlines():\n"
            "            yield Request(url, callback=self.parse, dont_filter=True)\n\n"
            "    def parse(self, response):\n        pass\n",
        )
        crawl = project.scrapy("crawl", "cases", timeout=120)
        assert crawl.code == 0, crawl.stderr[-3000:]
        yield Ran(web, crawl)


def held(ran, case):
    """Assert for each host of a case that what may arrive did and nothing else, and what closed the rest."""
    hosts = [host for host in CASES if host.partition("-")[0] == case]
    assert hosts
    for host in hosts:
        _, open_paths, shut_paths = CASES[host]
        assert sorted(ran.arrived(host)) == sorted(open_paths), host
        assert {ran.reason(host, path) for path in shut_paths} <= {"robots_disallow", "robots_unreachable"}, (
            host
        )
    return hosts


def unreachable(ran, case):
    for host in held(ran, case):
        assert ran.reason(host) == "robots_unreachable", host


def test_case_01_robots_txt_with_a_server_error_closes_the_site_whatever_its_body(ran):
    unreachable(ran, "c01")


def test_case_02_robots_txt_with_429_closes_the_site_and_is_not_asked_for_again_at_once(ran):
    unreachable(ran, "c02")
    assert ran.asked("c02") == 1


def test_case_03_no_answer_to_robots_txt_closes_the_site(ran):
    unreachable(ran, "c03")


def test_case_03_a_failure_of_tls_closes_the_site(ran):
    url = f"https://c09.localhost:{ran.web.port}/x"
    assert ran.crawl.reason(url) == "robots_unreachable"
    assert ran.crawl.of(url=url, stage="request", verdict="fetch") == []


def test_case_04_the_status_of_a_404_governs_and_not_its_body(ran):
    held(ran, "c04")


def test_case_05_a_soft_404_has_no_rules(ran):
    held(ran, "c05")


def test_case_06_a_challenge_in_place_of_robots_txt_closes_the_site(ran):
    unreachable(ran, "c06")


def test_case_07_rules_behind_a_redirect_bind_the_first_host_and_say_nothing_of_the_other(ran):
    assert ran.arrived("c07") == ["/x"]
    assert ran.reason("c07", "/no") == "robots_disallow"
    assert ran.arrived("c07-rules") == []


def test_case_08_five_hops_are_followed_and_a_loop_costs_at_most_six_requests(ran):
    assert ran.web.paths("c08-five.localhost").count("/x") == 1
    assert "/no" not in ran.web.paths("c08-five.localhost")
    assert ran.reason("c08-five", "/no") == "robots_disallow"
    for host in ("c08-six", "c08-loop"):
        assert {ran.reason(host, path) for path in ("/x", "/no")} == {"robots_unreachable"}
        assert not {"/x", "/no"} & set(ran.web.paths(f"{host}.localhost"))
        assert len(ran.web.paths(f"{host}.localhost")) <= 6


def test_case_09_each_scheme_has_a_file_of_its_own(ran):
    assert ran.arrived("c09") == ["/x"]
    assert ran.crawl.reason(f"https://c09.localhost:{ran.web.port}/x") == "robots_unreachable"


def test_case_10_a_redirect_to_another_host_is_judged_by_that_hosts_file_first(ran):
    assert ran.arrived("c10") == ["/x"]
    assert ran.web.paths("c10-away.localhost") == ["/robots.txt"]
    assert ran.reason("c10-away") == "robots_disallow"


def test_case_12_a_crawl_delay_between_user_agent_lines_leaves_one_group(ran):
    held(ran, "c12")


def test_case_13_no_other_line_between_user_agent_lines_ends_the_group(ran):
    held(ran, "c13")


def test_case_14_groups_of_one_token_are_merged(ran):
    held(ran, "c14")


def test_case_15_names_with_a_tail_are_read_as_restrictions(ran):
    held(ran, "c15")


def test_case_16_a_part_of_our_name_and_a_name_with_digits_are_not_ours(ran):
    held(ran, "c16")


def test_case_17_a_longer_name_is_not_ours(ran):
    held(ran, "c17")


def test_case_18_an_empty_group_of_ours_replaces_that_of_everybody(ran):
    held(ran, "c18")


def test_cases_18_21_and_22_what_only_the_second_reader_refuses_is_not_asked_for_either(ran):
    assert held(ran, "second") == ["second-18", "second-21", "second-22"]


def test_case_19_a_tie_allows(ran):
    held(ran, "c19")


def test_case_20_the_longest_rule_decides(ran):
    held(ran, "c20")


def test_case_21_a_dollar_is_an_anchor_at_the_end_only(ran):
    held(ran, "c21")


def test_case_22_reserved_escapes_differ_from_their_octets_and_others_do_not(ran):
    held(ran, "c22")


def test_case_23_letters_beyond_ascii_equal_their_escapes_both_ways(ran):
    held(ran, "c23")


def test_case_24_dot_segments_are_resolved_before_the_check(ran):
    held(ran, "c24")


def test_case_25_bare_carriage_returns_end_lines(ran):
    held(ran, "c25")


def test_case_26_nothing_is_smuggled_behind_other_line_ends(ran):
    held(ran, "c26")


def test_case_27_nul_octets_void_no_other_line(ran):
    held(ran, "c27")


def test_case_28_utf_16_is_read_or_closes_the_site(ran):
    held(ran, "c28")
    assert ran.reason("c28-broken") == "robots_unreachable"


def test_case_29_a_latin_1_octet_is_compared_as_its_escape(ran):
    held(ran, "c29")


def test_case_30_the_line_that_the_limit_divides_is_dropped(ran):
    held(ran, "c30")


def test_case_31_a_rule_before_any_group_is_ignored(ran):
    held(ran, "c31")


def test_case_32_a_rule_that_is_no_path_is_ignored_and_a_leading_star_restricts(ran):
    held(ran, "c32")


def test_case_33_markup_between_lines_leaves_groups_intact(ran):
    held(ran, "c33")


def test_case_34_robots_txt_itself_is_asked_for_under_a_ban_of_everything(ran):
    held(ran, "c34")
    assert ran.asked("c34") == 1


def test_case_68_an_amp_page_on_another_host_has_a_check_of_its_own(ran):
    assert ran.arrived("c68") == ["/x"]
    assert ran.web.paths("c68-away.localhost") == ["/robots.txt"]
    assert ran.reason("c68-away") == "robots_disallow"


def test_case_71_a_file_that_cannot_be_unpacked_closes_the_site(ran):
    unreachable(ran, "c71")


def test_case_72_however_a_host_is_written_it_has_one_file(ran):
    for host in ("c72", "xn--wgv71a"):
        assert ran.asked(host) == 1
        assert ran.arrived(host) == ["/x"]
