"""What lies behind each bound on reading a page is never taken as saying nothing."""

from __future__ import annotations

import pytest

from policies.facts import ResponseFacts
from policies.paywall_vendors import load_paywall_vendors
from policies.response_rules import judge_opened_body
from policies.rules.paywall import find_free_text
from policies.signals.content_tier import parse_content_tier
from policies.signals.gate_words import find_vendors
from policies.signals.meta_robots import CONTENT_LIMIT, read_meta_robots
from policies.signals.page_elements import element_ends
from policies.signals.page_gate import find_gate
from policies.signals.page_login import find_login_form, find_login_way
from policies.signals.page_markers import open_page
from policies.signals.page_markup import TAG_BUDGET, read_within_budget
from policies.signals.page_metas import MOST_METAS, find_metas
from policies.signals.page_opened import Allowance
from policies.signals.schema_org import parse_free_access
from policies.signals.tdm_header import parse_tdm_headers, parse_tdm_metas
from policies.signals.x_robots import READ_LIMIT, parse_x_robots
from policies.vocabulary import Reason

URL = "https://news.example.com/a"
TOKEN = "ExampleBot"
VENDORS = load_paywall_vendors()
PIANO = '<script src="https://cdn.tinypass.com/x.js"></script>'
LD = '<script type="application/ld+json">'
SPENT = "<b>" * (TAG_BUDGET + 1)


def answer(html):
    return ResponseFacts(url=URL, status=200, headers=(("content-type", "text/html"),), body=html.encode())


def opened(html):
    page = open_page(answer(html), TOKEN, VENDORS)
    assert page is not None
    return page


def robots(html):
    return {one.use for one in read_meta_robots(opened(html), TOKEN, now_us=0) if one.denies}


def many(form, count):
    return "".join(form % number for number in range(count))


def test_a_page_is_asked_the_same_thing_once():
    page, asked = opened(PIANO), []
    assert page.once(lambda one: asked.append(one)) is None  # noqa: PLW0108 - each lambda is another question

    def count(one, word):
        asked.append(word)
        return one.text.count(word)

    assert [page.once(count, "script"), page.once(count, "script"), page.once(count, "/")] == [2, 2, 4]
    assert asked[1:] == ["script", "/"]


def test_tags_are_found_by_what_stands_in_them_and_not_behind_them():
    page = opened(
        f"{PIANO}<p ID=word>word<a>word</a></p word><script>word</script><br data-Word>İword<i word>"
    )
    assert [page.tags[number].name for number in page.numbers_naming("word")] == ["p", "p", "br", "i"]
    assert [tag.name for tag in page.naming(("word",))] == ["p", "br", "i"]


def test_elements_end_where_their_end_tags_are():
    page = opened(PIANO + "<div><p>a<br></div><i/><b></x>")
    names = [tag.name for tag in page.tags]
    assert names == ["script", "script", "div", "p", "br", "div", "i", "b", "x"]
    assert page.once(element_ends) == [1, 1, 5, 5, 4, 5, 6, 9, 8]


def test_comments_count_against_the_budget_and_what_is_behind_it_is_unread():
    for comment in ("<!-- a -->", "<!-->", "<!--a--b-->", "<?x>", "</ >"):
        tags, unread = read_within_budget(comment * 10 + "<p>", 5)
        assert (tags, unread) == ((), 5 * len(comment))
        assert [tag.name for tag in read_within_budget(comment * 4 + "<p>", 5)[0]] == ["p"]


def test_a_known_form_costs_nothing_and_a_spent_allowance_takes_nothing():
    allowance = Allowance(2)
    assert allowance.takes("<a>")
    assert allowance.knows("<a>")
    assert not allowance.knows("<b>")
    assert allowance.takes("<b>")
    assert not allowance.takes("<c>")
    assert not Allowance(10).takes("<a " + "&amp;" * 3_000 + ">")
    assert not Allowance(10).takes("<a " + "b " * 30_000 + ">")


def test_a_restriction_behind_any_number_of_repeated_metas_is_found():
    again = '<meta name="robots" content="max-snippet:-1">' * (MOST_METAS + 100)
    assert robots(again + '<meta name="robots" content="noai">') == {"noai"}


def test_more_different_metas_than_are_read_refuse_whatever_they_could():
    form = '<meta name="robots" content="max-snippet:%d">'
    assert robots(
        many(form.replace("%d", "1%d"), MOST_METAS - 1) + '<meta name="robots" content="noai">'
    ) == {"noai"}
    said = robots(many(form.replace("%d", "1%d"), MOST_METAS) + '<meta name="robots" content="noai">')
    assert {"noai", "noindex", "noarchive", "none"} <= said
    metas = find_metas(
        opened(many('<meta name="tdm-reservation" content="0" id=a%d>', MOST_METAS + 1)),
        frozenset(("tdm-reservation",)),
    )
    assert metas[-1].unread
    assert max(one.reserved for one in parse_tdm_metas(metas).reservations)


def test_a_meta_that_stands_right_after_one_that_stood_wrongly_counts():
    meta = '<meta name="tdm-reservation" content="0">'
    page = opened(f"<head><noscript>{meta}</noscript>{meta}{meta}</head><p>{meta}")
    metas = find_metas(page, frozenset(("tdm-reservation",)))
    assert [one.misplaced for one in metas] == ["inside noscript", ""]
    assert [one.reserved for one in parse_tdm_metas(metas).reservations] == [False]


def test_directives_behind_what_is_read_word_for_word_count_by_their_letters():
    filler = "index, " * (CONTENT_LIMIT // 7 + 1)
    assert robots(f'<meta name="robots" content="{filler}noarchive">') == {"noarchive"}
    assert (
        robots(f'<meta name="robots" content="{filler}">' + '<meta name="robots" content="noarchives">')
        == set()
    )
    parts = [("x-robots-tag", "a" * READ_LIMIT), ("x-robots-tag", "otherbot: noindex")]
    assert [one.use for one in parse_x_robots(parts, TOKEN, now_us=0)] == ["noindex"]
    assert parse_x_robots(parts[1:], TOKEN, now_us=0) == ()


def test_metas_behind_the_tags_are_found_and_too_many_of_them_refuse():
    meta = '<meta name="robots" content="noai">'
    assert robots(SPENT + meta) == {"noai"}
    assert robots(SPENT + "robots " * 500 + meta) == {"noai"}
    assert "noindex" in robots(SPENT + "robots " * 5_000 + meta)
    assert "noindex" in robots(SPENT + "<meta robots " * 20_000 + meta)


@pytest.mark.parametrize("between", ["", SPENT])
def test_a_tier_behind_any_number_of_others_counts(between):
    name = '<meta property="article:content_tier" content="%s">'
    for filler in (
        name % "free" * 3_000,
        many(name.replace("%s", "free %d").replace(">", " a%d>").replace("free %d", "free"), 1_500),
    ):
        page = opened(between + filler + name % "locked")
        assert any(one.restricts for one in parse_content_tier(page))
    assert not any(one.restricts for one in parse_content_tier(opened(between + name % "free" * 900)))


def test_microdata_behind_the_forms_that_are_looked_at_is_searched_as_text():
    filler = many("<i itemprop=a%d>", 2_100)
    free = "<meta itemprop=isAccessibleForFree content=true>"
    for restriction in (
        '<meta itemprop="isAccessibleForFree" content="false">',
        "<i itemprop=isAccessibleForFree>false</i>",
        "<i content=false itemprop=isAccessibleForFree>Free to read",
    ):
        assert any(one.restricts for one in parse_free_access(opened(filler + restriction)))
    assert not any(one.restricts for one in parse_free_access(opened(filler + free)))
    flood = "<i itemprop=isAccessibleForFree content=true>" * 2_000
    assert any(
        one.restricts for one in parse_free_access(opened(filler + flood + "isAccessibleForFree: false"))
    )


def test_scripts_behind_those_that_are_looked_at_are_searched_as_text():
    restricted = '{"isAccessibleForFree": false}'
    filler = many(LD + '{"isAccessibleForFree": true, "a": %d}</script>', 2_100)
    assert not any(one.restricts for one in parse_free_access(opened(filler)))
    assert any(one.restricts for one in parse_free_access(opened(filler + LD + restricted + "</script>")))
    kinds = many('<script type="x%d">isAccessibleForFree</script>', 600)
    assert any(one.restricts for one in parse_free_access(opened(kinds + LD + restricted + "</script>")))


def test_parts_that_are_too_many_to_be_told_close_the_page():
    part = (
        LD + '{"@type":"Article","isAccessibleForFree":true,"hasPart":{"@type":"WebPageElement",'
        '"isAccessibleForFree":false,"cssSelector":".c"}}</script>'
    )
    page = opened(part + many('<p class="c a%d">x</p>', 100) + "<p>free</p>")
    assert find_free_text(page) == "<p>free</p>"
    page = opened(part + many('<p class="c a%d">x</p>', 4_100) + "<p>free</p>")
    assert find_free_text(page) is None
    assert find_free_text(opened(part + SPENT + "<p class=c>x</p>")) is None


def test_a_gate_behind_the_tags_is_seen():
    gate = find_gate(opened(PIANO + SPENT + "</b><p>Subscribe to continue reading</p>"), VENDORS)
    assert gate is not None
    assert gate.text == "Subscribe to continue reading"
    assert find_gate(opened(PIANO + SPENT + "</b><p>Nothing else</p>"), VENDORS) is None


def test_who_names_more_hosts_than_are_looked_at_is_taken_for_a_customer_of_some_vendor():
    hosts = many("//a%d.example ", 5_001).encode()
    assert find_vendors(hosts, VENDORS) == ("more than 5000 hosts",)
    assert find_vendors(b"//x.example " * 4_000 + b"//cdn.Tinypass.com./a".lower(), VENDORS) == (
        "Piano (Tinypass)",
    )
    for host in (b"nottinypass.com", b"tinypass.com.example", b"google.com", b"tinypass.company"):
        assert find_vendors(b"//" + host + b"/ /swg/js/", VENDORS) == ()
    assert find_vendors(b"//a.b.c.d.news.google.com/ /swg/js/", VENDORS) == ("Subscribe with Google",)


def test_fields_and_addresses_of_a_login_behind_many_others_count():
    filler = many("<input type=text class=password%d>", 300)
    assert find_login_form(opened(filler + "<input type=password>")) is not None
    form = many("<input name=a%d value=samlrequest>", 300) + "<form></form>"
    assert "more than" in find_login_way(opened(form), URL).why
    again = (
        "<script>location.replace('/a')</script>" * 15
        + "<script>location.replace('/login')</script><form></form>"
    )
    assert "login" in find_login_way(opened(again), URL).why


def test_a_reservation_behind_the_header_values_that_are_read_counts():
    zeros = [("tdm-reservation", "0, " * 1_000), ("tdm-reservation", "1")]
    assert any(one.reserved for one in parse_tdm_headers(zeros).reservations)
    assert not any(one.reserved for one in parse_tdm_headers(zeros[:1]).reservations)


def test_the_first_line_of_a_gate_is_cited_and_not_the_line_before_it():
    html = f"{PIANO}<p><!-- a --></p>\n<p>Subscribe to continue reading</p>"
    (evidence,) = judge_opened_body(answer(html), opened(html), VENDORS).verdicts[1].evidence
    assert (evidence.text, evidence.line) == ("Subscribe to continue reading", 2)
    assert judge_opened_body(answer(html), opened(html), VENDORS).verdicts[1].reason is Reason.PAYWALL_GATE
