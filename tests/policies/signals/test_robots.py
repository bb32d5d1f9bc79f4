"""What a robots.txt says: RFC 9309's grammar and groups, and the hard cases 12-35 that are about reading."""

from __future__ import annotations

import pytest

from policies.signals.robots import MAX_BYTES, cut_to_limit, parse_robots
from policies.signals.robots_octets import readable_octets

OURS = "ExampleBot"
HOST = "https://example.com"


def allowed(body: str | bytes, path: str, token: str = OURS) -> bool:
    octets = body.encode() if isinstance(body, str) else body
    return parse_robots(octets).judge(token, HOST + path).allowed


# --- RFC 9309 itself ------------------------------------------------------------------------------------

RFC_EXAMPLE = """\
User-Agent: *
Disallow: *.gif$
Disallow: /example/
Allow: /publications/

User-Agent: foobot
Disallow:/
Allow:/example/page.html
Allow:/example/allowed.gif

User-Agent: barbot
User-Agent: bazbot
Disallow: /example/page.html

User-Agent: quxbot

"""


@pytest.mark.parametrize(
    ("token", "path", "expected"),
    [
        ("otherbot", "/pictures/a.gif", False),
        ("otherbot", "/example/", False),
        ("otherbot", "/publications/a", True),
        ("otherbot", "/publications/a.gif", True),
        ("foobot", "/example/page.html", True),
        ("foobot", "/example/allowed.gif", True),
        ("foobot", "/example/other.html", False),
        ("FooBot", "/", False),
        ("barbot", "/example/page.html", False),
        ("bazbot", "/example/page.html", False),
        ("bazbot", "/example/", True),
        ("quxbot", "/example/page.html", True),
    ],
)
def test_the_example_of_rfc_9309_section_5_1_is_read_as_the_rfc_explains_it(token, path, expected):
    assert allowed(RFC_EXAMPLE, path, token) is expected


def test_the_longest_match_example_of_rfc_9309_section_5_2_holds():
    body = "User-Agent: foobot\nAllow: /example/page/\nDisallow: /example/page/disallowed.gif\n"
    assert allowed(body, "/example/page/", "foobot")
    assert not allowed(body, "/example/page/disallowed.gif", "foobot")


def test_an_answer_cites_group_rule_line_and_raw_text():
    body = (
        b"# hello\r\nUser-Agent: examplebot # us\r\nCrawl-delay: 2\r\n  Disallow : /private  # not here\r\n"
    )
    answer = parse_robots(body).judge(OURS, f"{HOST}/private/a?b")
    assert (answer.allowed, answer.kind, answer.pattern, answer.line) == (False, "disallow", "/private", 4)
    assert answer.text == "  Disallow : /private  # not here"
    assert (answer.group, answer.group_line, answer.crawl_delay) == ("examplebot", 2, 2.0)
    assert "ExampleBot applies" in answer.explanation


def test_an_answer_without_a_rule_says_why_it_allows():
    star = parse_robots(b"User-agent: *\nDisallow: /x\n").judge(OURS, f"{HOST}/a")
    assert star.explanation == "no group for ExampleBot: group * applies; no rule matches"
    assert (star.line, star.pattern, star.text, star.group, star.group_line) == (None, None, "", "*", 1)
    none = parse_robots(b"User-agent: Other\nDisallow: /\n").judge(OURS, f"{HOST}/a")
    assert none.allowed
    assert none.explanation == "no group for ExampleBot and none for *"


def test_the_same_deciding_line_gives_the_same_answer_object():
    rules = parse_robots(b"User-agent: *\nDisallow: /x\n")
    assert rules.judge(OURS, f"{HOST}/x1") is rules.judge(OURS, f"{HOST}/x2")
    assert rules.judge(OURS, f"{HOST}/a") is rules.judge(OURS, f"{HOST}/b")


def test_a_rule_of_a_shared_group_cites_the_line_that_names_the_token():
    rules = parse_robots(b"User-agent: A\nUser-agent: B\nDisallow: /\n")
    assert rules.judge("A", f"{HOST}/").group_line == 1
    assert rules.judge("B", f"{HOST}/").group_line == 2


@pytest.mark.parametrize(
    "url", ["", "/path", "ftp://example.com/", "https://", "https:///x", "example.com/x", "mailto:a@b"]
)
def test_what_is_no_absolute_http_url_is_refused_even_without_rules(url):
    assert not parse_robots(b"").judge(OURS, url).allowed


# --- hard cases -----------------------------------------------------------------------------------------


def test_case_12_a_crawl_delay_between_user_agent_lines_leaves_one_group():
    body = "User-agent: *\nCrawl-delay: 10\nUser-agent: CCBot\nDisallow: /\n"
    assert not allowed(body, "/a")
    assert not allowed(body, "/a", "CCBot")
    rules = parse_robots(body.encode())
    assert rules.judge(OURS, f"{HOST}/").crawl_delay == 10
    assert rules.judge("CCBot", f"{HOST}/").crawl_delay == 10


@pytest.mark.parametrize(
    "line",
    [
        "Content-Signal: search=yes, ai-train=no",
        "Content-Usage: train-ai=n",
        "License: https://example.com/rsl.xml",
        "Sitemap: https://example.com/s.xml",
        "Noindex: /x",
        "Request-rate: 1/10",
        "Visit-time: 0100-0200",
        "Host: example.com",
        "DisallowAITraining: /",
        "something: else",
        "no colon here",
        "<br />",
    ],
)
def test_case_13_no_other_record_between_user_agent_lines_ends_the_group(line):
    body = f"User-agent: *\n{line}\nUser-agent: CCBot\nDisallow: /\n"
    assert not allowed(body, "/a")
    assert not allowed(body, "/a", "CCBot")


def test_case_14_groups_of_one_token_are_merged_wherever_they_stand():
    body = "User-agent: *\nAllow: /\nUser-agent: ExampleBot\nDisallow: /a\nUser-agent: *\nDisallow: /s\nUser-agent: examplebot\nDisallow: /b\n"
    assert not allowed(body, "/a")
    assert not allowed(body, "/b")
    assert allowed(body, "/s")
    assert not allowed(body, "/s", "Other")


@pytest.mark.parametrize(
    "name", ["ExampleBot/1.0", "ExampleBot*", "ExampleBot, Other", "exampleBOT 2", "ExampleBot;x"]
)
def test_case_15_a_name_with_a_tail_is_ours(name):
    assert not allowed(f"User-agent: {name}\nDisallow: /\n", "/a")


@pytest.mark.parametrize("name", ["* foo", "* Allow: /", "*\tx", "* # all"])
def test_case_15_a_star_with_a_tail_is_everyone_and_the_tail_grants_nothing(name):
    body = f"User-agent: {name}\nDisallow: /a\n"
    assert not allowed(body, "/a")
    assert allowed(body, "/b")
    answer = parse_robots(body.encode()).judge(OURS, f"{HOST}/a")
    assert answer.group == name.partition("#")[0].strip()


def test_case_15_a_star_with_the_no_break_space_of_latin_1_is_everyone():
    """A real file of 2019 ends its `User-Agent: *` so; the octet alone is no UTF-8."""
    assert not allowed(b"User-Agent: *\xa0\nDisallow: /a\n", "/a")
    assert not allowed(b"User-Agent: *\xa0 # all\nDisallow: /a\n", "/a")
    assert allowed(b"User-Agent: *\xa9\nDisallow: /a\n", "/a")


@pytest.mark.parametrize("name", ["Example", "xampleBot", "bot", "AB42bot", "*bot", "Mozilla", "ExampleBot_"])
def test_case_16_a_part_of_our_name_is_not_our_name(name):
    assert allowed(f"User-agent: {name}\nDisallow: /\n", "/a")


def test_case_16_another_bots_permission_does_not_lift_the_ban_of_everyone():
    assert not allowed("User-agent: Example\nAllow: /\nUser-agent: *\nDisallow: /\n", "/a")


def test_case_17_equality_and_not_prefixes_of_names():
    assert allowed("User-agent: ExampleBot\nDisallow: /\n", "/a", "ExampleBot-News")
    assert allowed("User-agent: ExampleBot-News\nDisallow: /\n", "/a", "ExampleBot")


@pytest.mark.parametrize("rules", ["", "Disallow:\n", "Disallow: # nothing\n", "Crawl-delay: 3\n"])
def test_case_18_an_empty_group_of_ours_replaces_everyones(rules):
    body = f"User-agent: *\nDisallow: /\n\nUser-agent: ExampleBot\n{rules}"
    assert allowed(body, "/a")
    assert not allowed(body, "/a", "Other")


@pytest.mark.parametrize("order", [("Allow", "Disallow"), ("Disallow", "Allow")])
@pytest.mark.parametrize("pattern", ["/a", "/a*", "/a$", "/*a"])
def test_case_19_a_tie_allows(order, pattern):
    body = "User-agent: *\n" + "".join(f"{kind}: {pattern}\n" for kind in order)
    assert allowed(body, "/a")


def test_case_19_a_tie_between_a_prefix_and_a_wildcard_allows_either_way():
    assert allowed("User-agent: *\nDisallow: /abc\nAllow: /*bc\n", "/abc")
    assert allowed("User-agent: *\nAllow: /abc\nDisallow: /*bc\n", "/abc")


def test_case_20_the_rule_with_most_octets_decides():
    body = "User-agent: *\nAllow: /page\nDisallow: /*.htm\n"
    assert not allowed(body, "/page.htm")
    assert allowed(body, "/page")
    assert allowed(body, "/page.txt")


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/a$", "/a", True),
        ("/a$", "/a?x", False),
        ("/a$", "/ab", False),
        ("/a$b", "/a$b", True),
        ("/a$b", "/a%24b", True),
        ("/a$b", "/a", False),
        ("/a%24", "/a$", True),
        ("/a%24", "/a%24x", True),
        ("/a%24", "/a", False),
        ("/a%2A", "/a*", True),
        ("/a%2a", "/abc", False),
        ("/$", "/", True),
        ("/$", "/a", False),
    ],
)
def test_case_21_a_dollar_anchors_at_the_end_only_and_is_literal_elsewhere(pattern, path, matches):
    assert allowed(f"User-agent: *\nDisallow: {pattern}\n", path) is not matches


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/a%2Fb", "/a/b", False),
        ("/a/b", "/a%2Fb", False),
        ("/a%2fb", "/a%2Fb", True),
        ("/%7Euser", "/~user", True),
        ("/~user", "/%7euser", True),
        ("/a%3c", "/a%3C", True),
        ("/a%3F", "/a?", False),
        ("/a?", "/a%3F", False),
        ("/%62%61%7A", "/baz", True),
        ("/a b", "/a%20b", True),
        ("/a%26", "/a&", False),
        ("/100%", "/100%25", True),
        ("/100%", "/100%2Fx", True),  # octet by octet, what is cut begins every escape
        ("/%", "/%E3%83%84", True),
        ("/%e", "/ツ", True),
        ("/%d", "/ツ", False),
        ("/a%2*z", "/a%2Fz", True),
        ("/%25", "/%E3%83%84", False),
        ("/100%x", "/100%2Fx", False),
        ("/%$", "/%E3", False),
        ("/*.a$%", "/x.a$%", True),
        ("/*a%*b%2", "/xa%2Fyb%2Fz", True),
        ("/{x}", "/%7Bx%7D", True),
    ],
)
def test_case_22_only_escapes_of_unreserved_octets_are_decoded(pattern, path, matches):
    assert allowed(f"User-agent: *\nDisallow: {pattern}\n", path) is not matches


def test_rival_6_an_escaped_slash_in_a_rule_is_obeyed_as_written():
    body = "User-agent: *\nDisallow: /a%2Fb\n"
    assert not allowed(body, "/a%2Fb")
    assert not allowed(body, "/a%2fb/c")
    assert allowed(body, "/a/b")


@pytest.mark.parametrize(
    ("pattern", "path"), [("/ツ", "/%E3%83%84"), ("/%e3%83%84", "/ツ"), ("/ツ", "/ツ"), ("/é*x", "/%C3%A9/x")]
)
def test_case_23_non_ascii_is_compared_escaped_on_both_sides(pattern, path):
    assert not allowed(f"User-agent: *\nDisallow: {pattern}\n", path)


@pytest.mark.parametrize("path", ["/x/../a/b", "/./a/b", "/%2e%2E/a/b", "/x/y/../../a/b", "/a/./b", "/../a/"])
def test_case_24_dot_segments_are_resolved_before_the_check(path):
    assert not allowed("User-agent: *\nDisallow: /a/\n", path)


def test_case_24_dots_in_a_query_are_left_alone():
    assert allowed("User-agent: *\nDisallow: /a/\n", "/x?y=/../a/b")


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_case_25_cr_lf_and_crlf_each_end_a_line(end):
    body = end.join(["User-agent: *", "Disallow: /a", "Disallow: /b", ""])
    assert not allowed(body, "/a")
    assert not allowed(body, "/b")
    assert parse_robots(body.encode()).judge(OURS, f"{HOST}/b").line == 3


@pytest.mark.parametrize("char", ["\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\u2028", "\u2029"])
def test_case_26_nothing_else_ends_a_line_so_that_nothing_is_smuggled(char):
    body = f"User-agent: *\nDisallow: /secret\n# note{char}Allow: /secret/a\n#{char}User-agent: ExampleBot\n"
    assert not allowed(body, "/secret/a")


def test_case_27_nul_octets_neither_crash_nor_void_the_rest():
    body = b"User-agent: *\nDisallow: /a\x00b\n\x00\x00\nDis\x00allow: /x\nDisallow: /c\n"
    assert not allowed(body, "/c")
    assert not allowed(body, "/a%00b")
    assert allowed(body, "/x")
    assert parse_robots(body).ignored_count == 1


@pytest.mark.parametrize(
    ("mark", "codec"),
    [
        (b"\xff\xfe", "utf-16-le"),
        (b"\xfe\xff", "utf-16-be"),
        (b"\xff\xfe\x00\x00", "utf-32-le"),
        (b"\x00\x00\xfe\xff", "utf-32-be"),
        (b"", "utf-16-le"),
        (b"", "utf-16-be"),
    ],
)
def test_case_28_utf_16_and_utf_32_are_decoded(mark, codec):
    body = mark + "User-agent: *\r\nDisallow: /é\r\n".encode(codec)
    answer = parse_robots(body).judge(OURS, f"{HOST}/%C3%A9")
    assert not answer.allowed
    assert (answer.line, answer.text) == (2, "Disallow: /é")


@pytest.mark.parametrize("body", [b"\xff\xfeU\x00s", b"\xfe\xff\xd8\x00\x00a", b"\xff\xfeU\x00s\x00x"])
def test_case_28_what_is_not_decodable_refuses_everything_and_says_so(body):
    rules = parse_robots(body if len(body) % 2 else body + b"\x00")
    assert "utf-16" in rules.problem
    assert not rules.judge(OURS, f"{HOST}/a").allowed
    assert rules.judge(OURS, f"{HOST}/robots.txt").allowed


def test_case_29_a_latin_1_octet_is_compared_as_its_escape_and_never_deleted():
    body = b"User-agent: *\nDisallow: /caf\xe9\n"
    assert not allowed(body, "/caf%E9")
    assert allowed(body, "/caf")
    assert allowed(body, "/caf%C3%A9")


def test_case_30_the_line_that_the_limit_divides_is_dropped():
    head = b"User-agent: *\nDisallow: /\n"
    allow = b"Allow: /abc\n"
    filler = b"#" * (MAX_BYTES - len(head) - 1 - len(b"Allow: /")) + b"\n"
    body = head + filler + allow + b"# more\n"
    assert body[:MAX_BYTES].endswith(b"\nAllow: /")
    kept, cut = cut_to_limit(body)
    assert cut
    assert kept == head + filler
    rules = parse_robots(body)
    assert rules.truncated
    assert not rules.judge(OURS, f"{HOST}/x").allowed


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_case_30_a_line_that_ends_exactly_at_the_limit_is_kept(end):
    line = b"Disallow: /last"
    body = b"User-agent: *\n" + b"#" * (MAX_BYTES - len(line) - 15) + b"\n" + line + end + b"x" * 10
    assert body[:MAX_BYTES].endswith(line)
    assert not allowed(body, "/last")


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_case_30_the_limit_divides_no_character_of_a_wide_encoding(codec):
    mark = "\ufeff".encode(codec)
    body = mark + ("User-agent: *\nDisallow: /a\n" + "Disallow: /\u0a0a\u0d0d\n" * 40_000).encode(codec)
    kept, cut = cut_to_limit(body)
    assert cut
    assert MAX_BYTES - 40 < len(kept) <= MAX_BYTES
    octets, problem = readable_octets(kept)
    assert problem == ""
    assert octets.endswith("Disallow: /\u0a0a\u0d0d\n".encode())


def test_case_30_cutting_is_idempotent_and_leaves_short_files_alone():
    body = b"User-agent: *\nDisallow: /a\n" * 40_000
    once, _ = cut_to_limit(body)
    assert cut_to_limit(once) == (once, False)
    assert cut_to_limit(b"x" * MAX_BYTES) == (b"x" * MAX_BYTES, False)
    assert cut_to_limit(b"x" * (MAX_BYTES + 1)) == (b"", True)


def test_case_31_a_rule_before_any_group_is_ignored_and_counted():
    rules = parse_robots(b"Disallow: /\nUser-agent: *\nDisallow: /b\n")
    assert rules.judge(OURS, f"{HOST}/a").allowed
    assert (rules.ignored_count, rules.ignored[0].line) == (1, 1)
    assert "before any User-agent" in rules.ignored[0].why


@pytest.mark.parametrize(
    "value", ["private/", "https://example.com/x", "HTTP://example.com/", "%2Fprivate", "?x", "$"]
)
def test_case_32_a_rule_that_is_no_path_is_ignored_and_counted(value):
    rules = parse_robots(f"User-agent: *\nDisallow: {value}\n".encode())
    assert rules.judge(OURS, f"{HOST}/private/").allowed
    assert rules.ignored_count == 1


def test_case_32_a_leading_star_restricts_and_never_grants():
    assert not allowed("User-agent: *\nDisallow: *.php$\n", "/a.php")
    assert not allowed("User-agent: *\nDisallow: *\n", "/")
    assert not allowed("User-agent: *\nDisallow: /\nAllow: *.php\n", "/a.php")


def test_case_33_markup_between_lines_leaves_groups_intact():
    body = "User-agent: *\n<br />\nDisallow: /a\n<br />\nUser-agent: ExampleBot\n<br />\nDisallow: /b\n"
    assert not allowed(body, "/b")
    assert allowed(body, "/a")


@pytest.mark.parametrize("path", ["/robots.txt", "/%72obots.txt", "/x/../robots.txt", "/robots.txt#top"])
def test_case_34_robots_txt_itself_is_allowed(path):
    assert allowed("User-agent: *\nDisallow: /\n", path)


@pytest.mark.parametrize("path", ["/robots.txt?x", "/a/robots.txt", "/robots.txt/", "/Robots.txt"])
def test_case_34_and_nothing_that_only_resembles_it(path):
    assert not allowed("User-agent: *\nDisallow: /\n", path)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["1e9"], 1e9),
        (["nan"], None),
        (["inf"], None),
        (["-1"], None),
        (["10 # s"], 10),
        (["3", "20", "7"], 20),
        (["1e999"], 1.7976931348623157e308),
        (["0"], 0),
        ([".5"], 0.5),
        (["10s"], 10),
        (["9" * 100_000], 1e64),
        (["soon"], None),
        (["soon", "4"], 4),
        ([""], None),
    ],
)
def test_case_35_crawl_delay_is_the_largest_number_of_seconds(lines, expected):
    body = "User-agent: ExampleBot\n" + "".join(f"Crawl-delay: {value}\n" for value in lines)
    got = parse_robots(body.encode()).judge(OURS, f"{HOST}/").crawl_delay
    assert got == (pytest.approx(expected) if expected is not None else None)


def test_case_35_the_largest_of_merged_groups_holds_with_its_line():
    body = b"User-agent: ExampleBot\nCrawl-delay: 20\nDisallow: /a\n\nUser-agent: *\nCrawl-delay: 99\nDisallow: /\n\nUser-agent: ExampleBot\nCrawl-Delay: 5\n"
    delay = parse_robots(body).for_agent(OURS).crawl_delay
    assert (delay.seconds, delay.line, delay.text, delay.group_line) == (20, 2, "Crawl-delay: 20", 1)


# --- lenient for restrictions, exact for permissions -------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "Dissallow: /a",
        "disalow: /a",
        "Disallows: /a",
        "disallow /a",
        "DISALLOW\t/a",
        "Disallow : /a",
        "disallow-path: /a",
    ],
)
def test_a_misspelt_restriction_restricts(line):
    assert not allowed(f"User-agent: *\n{line}\n", "/a")


@pytest.mark.parametrize("line", ["Allows: /a", "allow /a", "Alow: /a", "Allow-path: /a", "Allow= /a"])
def test_a_misspelt_permission_grants_nothing(line):
    assert not allowed(f"User-agent: *\nDisallow: /\n{line}\n", "/a")


@pytest.mark.parametrize(
    "line",
    ["useragent: ExampleBot", "user agent: ExampleBot", "User-agent ExampleBot", "User-agents: ExampleBot"],
)
def test_a_misspelt_user_agent_line_names_a_group(line):
    assert not allowed(f"User-agent: Other\nDisallow:\n{line}\nDisallow: /\n", "/a")


@pytest.mark.parametrize(
    "line", ["DisallowAITraining: /", "Disallowed by law: /", "All bots: /", "Disallow everything you like"]
)
def test_a_line_that_only_begins_like_a_restriction_is_another_record(line):
    assert allowed(f"User-agent: *\n{line}\n", "/a")


@pytest.mark.parametrize("blank", ["\u00a0", "\u3000", "\u2003", " \u00a0\t"])
def test_unicode_blanks_do_not_hide_a_restriction_and_do_not_make_a_permission(blank):
    assert not allowed(f"User-agent:{blank}*\nDisallow:{blank}/a{blank}\n", "/a")
    assert not allowed(f"{blank}User-agent{blank}: *{blank}x\n{blank}Disallow{blank}: /a\n", "/a")
    assert not allowed(f"User-agent: *\nDisallow: /\nAllow:{blank}/a\n{blank}Allow: /a\n", "/a")


@pytest.mark.parametrize("line", ["Allow-Origin: /", "allowance: /", "Allowed by law: /"])
def test_a_record_that_only_begins_like_a_permission_does_not_end_a_group(line):
    assert not allowed(f"User-agent: ExampleBot\n{line}\nUser-agent: Other\nDisallow: /\n", "/a")


def test_a_name_that_is_no_product_token_is_named_by_no_group_but_can_be_looked_up():
    rules = parse_robots(b"User-agent: *\nDisallow: /s\n\nUser-agent: AI2Bot (x)\nDisallow: /\n")
    assert not rules.judge("AI2Bot (x)", f"{HOST}/s").allowed
    assert rules.judge("AI2Bot (x)", f"{HOST}/a").allowed
    assert not rules.as_written("ai2bot (X)").judge(f"{HOST}/a").allowed
    assert rules.as_written("AI2Bot") is None


def test_an_empty_user_agent_line_begins_a_group_of_nobody():
    assert allowed("User-agent: ExampleBot\nDisallow: /a\nUser-agent:\nDisallow: /b\n", "/b")


# --- other records are kept for other readers ---------------------------------------------------------------


def test_other_records_keep_key_value_line_and_group():
    body = b"License: https://e.com/l\nUser-agent: *\nContent-Usage: /x/ train-ai=n # c\nDisallow: /a\nUser-agent: ExampleBot\nContent-Signal: ai-train=no\n"
    rules = parse_robots(body)
    assert [(r.key, r.value, r.line, r.group) for r in rules.records()] == [
        (b"license", b"https://e.com/l", 1, None),
        (b"content-usage", b"/x/ train-ai=n", 3, 0),
        (b"content-signal", b"ai-train=no", 6, 1),
    ]
    assert [r.line for r in rules.records("content-signal", "license")] == [1, 6]
    assert rules.records("content-usage")[0].raw == b"Content-Usage: /x/ train-ai=n # c"
    assert rules.groups_for(OURS) == (1,)
    assert rules.groups_for("Other") == (0,)


def test_sitemaps_are_listed_wherever_they_stand():
    body = b"Sitemap: https://e.com/1.xml\nUser-agent: *\nDisallow: /\nSITEMAP: /2.xml\nsite-map: https://o.com/3\nSitemap:\n"
    assert parse_robots(body).sitemaps == ("https://e.com/1.xml", "/2.xml", "https://o.com/3")


def test_ignored_lines_are_all_counted_and_boundedly_kept():
    rules = parse_robots(b"nonsense\n" * 5000)
    assert rules.ignored_count == 5000
    assert len(rules.ignored) == 100


def test_the_text_of_a_line_is_bounded():
    answer = parse_robots(b"User-agent: *\nDisallow: /" + b"a" * 100_000).judge(
        OURS, f"{HOST}/{'a' * 100_001}"
    )
    assert not answer.allowed
    assert len(answer.text) == 500


# --- hostile sizes ------------------------------------------------------------------------------------------


def test_ten_megabytes_are_read_to_the_limit_only():
    rules = parse_robots(b"User-agent: *\n" + b"Disallow: /a\n" * 800_000)
    assert rules.truncated
    assert rules.rule_count < MAX_BYTES
    assert not rules.judge(OURS, f"{HOST}/a").allowed


def test_fifty_thousand_groups_are_read():
    body = b"".join(b"User-agent:b%d\nDisallow:\n" % number for number in range(50_000)) + b""
    rules = parse_robots(body[: MAX_BYTES // 2] + b"\nUser-agent: ExampleBot\nDisallow: /a\n")
    assert rules.group_count > 9_000
    assert not rules.judge(OURS, f"{HOST}/a").allowed
