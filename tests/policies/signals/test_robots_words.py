"""Robots directives in headers and in pages: whose they are, what they say, and where they count."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.facts import ResponseFacts
from policies.precedence import switched_by
from policies.rules.judged_rows import Intent
from policies.rules.robots_meta import judge_robots_header, judge_robots_page, what_forbids_links
from policies.rules.tdm_reservation import judge_tdm_reservation, judge_tdm_response
from policies.signals.meta_robots import read_meta_robots
from policies.signals.page_markers import find_markers, open_page
from policies.signals.page_opened import NO_MARKERS
from policies.signals.robots_directives import RESTRICTIONS, parse_moment
from policies.signals.statement import Problem
from policies.signals.tdm_header import parse_tdm_headers
from policies.signals.tdmrep import Layer, TdmReservation
from policies.signals.x_robots import READ_LIMIT, parse_x_robots
from policies.vocabulary import Action, Evidence, Purpose, Reason

URL = "https://example.com/a"
TOKEN = "ExampleBot"
NOW = 1_790_000_000_000_000  # September 2026
TRAINING, INPUT = Purpose.AI_TRAINING, Purpose.AI_INPUT
SEARCH, ARCHIVE, RESEARCH = Purpose.SEARCH, Purpose.ARCHIVE, Purpose.RESEARCH


def intent(*purposes, research_org=False, **switches):
    switched = switched_by(switches, research_org=research_org)
    return Intent(token=TOKEN, purposes=frozenset(purposes), switched=switched)


def header(*values, token=TOKEN):
    return parse_x_robots([("x-robots-tag", value) for value in values], token, now_us=NOW)


def denied(statements):
    return sorted(one.use for one in statements if one.denies)


def response(body="", *headers, media="text/html; charset=utf-8", status=200):
    body = body.encode() if isinstance(body, str) else body
    return ResponseFacts(url=URL, status=status, headers=(("content-type", media), *headers), body=body)


def page_of(body):
    return open_page(response(body), TOKEN)


def metas(body):
    page = page_of(body)
    return read_meta_robots(page, TOKEN, now_us=NOW) if page else ()


def head(*elements):
    text = "<p>Some words of an article.</p>" * 20
    return f"<!doctype html><html><head><title>t</title>{''.join(elements)}</head><body>{text}</body></html>"


def meta(content, name="robots"):
    return f'<meta name="{name}" content="{content}">'


# X-Robots-Tag


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (("otherbot: noindex, nofollow",), []),
        (("googlebot: noarchive, ExampleBot: noindex",), ["noindex"]),
        (("ExampleBot: noindex, googlebot: noarchive",), ["noindex"]),
        (("noarchive, googlebot: noindex",), ["noarchive"]),
        (("unavailable_after: Sat, 25 Jun 2010 15:00:00 GMT, noindex",), ["noindex", "unavailable_after"]),
        (("ExampleBot: unavailable_after: 25 Jun 2010 15:00:00 PST",), ["unavailable_after"]),
        (("googlebot: unavailable_after: Saturday, 25-Jun-10 15:00:00 GMT, noindex",), []),
        (("max-image-preview:none",), []),
        (("max-image-preview: none, max-snippet: -1",), []),
        (("max-snippet:0",), ["max-snippet"]),
        (("max-future-thing: 3, noindex",), ["noindex"]),
        (("noindex", "noarchive"), ["noarchive", "noindex"]),
        (("otherbot: noindex", "noarchive"), ["noarchive"]),
        (("NOINDEX",), ["noindex"]),
        (("EXAMPLEBOT:NoAI,\tNoImageAI",), ["noai", "noimageai"]),
        (("*: none",), ["none"]),
        (("ExampleBot-News: noindex",), []),
        (("Google Bot: noindex",), ["noindex"]),
        (("noindex;nofollow noarchive",), ["noarchive", "nofollow", "noindex"]),
        (("index, follow, all, archive",), []),
        (("noindexing, xnoindex, nonesuch",), []),
        (("", ",", ":", ": noindex", "::::"), ["noindex"]),
    ],
)
def test_case_50_header_directives_are_ours_when_they_say_so(values, found):
    assert denied(header(*values)) == found


def test_a_date_to_come_restricts_nothing_and_one_that_is_none_is_logged():
    (later,) = header("unavailable_after: 2030-01-01")
    assert not later.denies
    (never,) = header("unavailable_after: soon")
    assert (never.denies, never.problem) == (False, Problem.MALFORMED)


@pytest.mark.parametrize(
    "text",
    ["Sat, 25 Jun 2010 15:00:00 GMT", "Saturday, 25-Jun-10 15:00:00 GMT", "25 Jun 2010 15:00:00 UTC",
     "Sat 25 Jun 2010 15:00:00 +0000", "2010-06-25T15:00:00Z", "2010-06-25 15:00:00", "25 Jun 2010 15:00:00",
     "2010-06-25 15:00:00 GMT", "25 Jun 2010 08:00:00 -0700", "2010-06-25T17:00:00+02:00"],
)  # fmt: skip
def test_one_moment_in_all_its_forms(text):
    assert parse_moment(text) == 1_277_478_000_000_000


def test_the_form_of_the_draft_is_read_for_its_restrictions():
    fields = [("robots-tag", "*=noindex; otherbot=noarchive; ExampleBot=(nosnippet noai)")]
    assert denied(parse_x_robots(fields, TOKEN, now_us=NOW)) == ["noai", "noindex", "nosnippet"]


def test_a_restriction_behind_what_is_read_word_for_word_counts():
    found = header("otherbot: " + "a, " * READ_LIMIT + "noindex")
    assert [(one.use, one.problem) for one in found] == [("noindex", Problem.BEYOND_LIMIT)]


WORDS = st.sampled_from(sorted(RESTRICTIONS))


@given(words=st.lists(WORDS, min_size=1, max_size=5), data=st.data())
def test_case_and_blanks_change_nothing(words, data):
    separators = st.sampled_from([",", ", ", " ,\t", ",,"])
    written = "".join(
        (word.upper() if data.draw(st.booleans()) else word.title()) + data.draw(separators) for word in words
    )
    assert denied(header(written)) == sorted(set(words))
    assert denied(metas(head(meta(written)))) == sorted(set(words))


@given(values=st.lists(st.text(max_size=120), max_size=4), more=st.text(max_size=60))
def test_a_further_header_line_never_takes_a_restriction_away(values, more):
    assert set(denied(header(*values))) <= set(denied(header(*values, more)))


def test_case_52_a_document_that_is_no_page_is_restricted_by_its_header():
    pdf = response(b"%PDF-1.7", ("x-robots-tag", "noindex"), media="application/pdf")
    verdict = judge_robots_header(pdf, intent(SEARCH), now_us=NOW)
    assert (verdict.action, verdict.reason) == (Action.SKIP, Reason.X_ROBOTS_TAG)
    assert verdict.evidence[0].text == "x-robots-tag: noindex"


# robots meta elements


@pytest.mark.parametrize(
    ("element", "found"),
    [
        (meta("noindex, nofollow"), ["nofollow", "noindex"]),
        (meta("index, follow, max-image-preview:large, max-snippet:-1, max-video-preview:-1"), []),
        (meta("NONE", "ROBOTS"), ["none"]),
        (meta("noarchive", "examplebot"), ["noarchive"]),
        (meta("noindex", "googlebot"), []),
        (meta("noindex", "ExampleBot-News"), []),
        (meta("noindex") + meta("noarchive", "ExampleBot"), ["noarchive", "noindex"]),
        ("<META CONTENT=noindex NAME=robots>", ["noindex"]),
        ("<meta data-x='>' name='robots' content='nocache'/>", ["nocache"]),
        ('<meta http-equiv="X-Robots-Tag" content="noai">', ["noai"]),
        ('<meta name="robots" content="&#110;oindex">', ["noindex"]),
        ('<meta name="robots" content="unavailable_after: 2010-06-25, noimageai">',
         ["noimageai", "unavailable_after"]),
        (meta("max-snippet: 0"), ["max-snippet"]),
        ('<meta name="description" content="robots noindex none">', []),
        ('<!-- <meta name="robots" content="noindex"> -->', []),
        ("<script>var a = '<meta name=\"robots\" content=\"noindex\">'</script>", []),
        ('<meta name="robots"', []),
    ],
)  # fmt: skip
def test_page_directives_are_ours_when_they_say_so(element, found):
    assert denied(metas(head(element))) == found


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (head(meta("noindex")), Problem.NONE),
        (f"<p>x</p>{meta('noindex')}", Problem.MISPLACED),
        (f"<head></head>{meta('noindex')}", Problem.MISPLACED),
        (head(f"<noscript>{meta('noindex')}</noscript>"), Problem.MISPLACED),
        (head(f"<template>{meta('noindex')}</template>"), Problem.MISPLACED),
    ],
)
def test_case_47_a_misplaced_restriction_counts_and_is_marked(body, problem):
    (found,) = metas(body)
    assert (found.use, found.denies, found.problem) == ("noindex", True, problem)
    verdict = judge_robots_page(response(body), page_of(body), intent(SEARCH), now_us=NOW)
    assert verdict.action is Action.SKIP
    assert verdict.evidence[0].line == 1


def test_case_47_a_reservation_in_a_comment_is_none_and_a_misplaced_one_counts():
    element = '<meta name="tdm-reservation" content="1">'
    for body, action in (
        (head(f"<!-- {element} -->"), Action.KEEP),
        (head(element), Action.SKIP),
        (f"<body><p>x</p>{element}</body>", Action.SKIP),
        (head(f"<noscript>{element}</noscript>"), Action.SKIP),
    ):
        assert judge_tdm_response(response(body), page_of(body), intent(TRAINING)).action is action


def test_case_51_noai_in_the_page_refuses_training_and_noimageai_leaves_text_alone():
    body = head(meta("noai"))
    verdict = judge_robots_page(response(body), page_of(body), intent(TRAINING), now_us=NOW)
    assert (verdict.action, verdict.reason) == (Action.SKIP, Reason.NOAI)
    assert judge_robots_page(response(body), page_of(body), intent(SEARCH), now_us=NOW).action is Action.KEEP
    body = head(meta("noimageai"))
    verdict = judge_robots_page(response(body), page_of(body), intent(TRAINING), now_us=NOW)
    assert verdict.action is Action.KEEP
    assert "images may not be used" in verdict.evidence[0].note
    image = response(b"\x89PNG", ("x-robots-tag", "noimageai"), media="image/png")
    assert judge_robots_header(image, intent(TRAINING), now_us=NOW).reason is Reason.NOAI
    text = response("x", ("x-robots-tag", "noimageai"))
    assert judge_robots_header(text, intent(TRAINING), now_us=NOW).action is Action.KEEP


@pytest.mark.parametrize(
    ("content", "refused"),
    [
        ("noindex", {TRAINING, INPUT, SEARCH, ARCHIVE, RESEARCH}),
        ("none", {TRAINING, INPUT, SEARCH, ARCHIVE, RESEARCH}),
        ("noarchive", {TRAINING, INPUT, ARCHIVE}),
        ("nosnippet", {TRAINING, INPUT}),
        ("nofollow", set()),
        ("noimageindex", set()),
    ],
)
def test_each_directive_refuses_exactly_the_purposes_of_its_row(content, refused):
    body = head(meta(content))
    page = page_of(body)
    assert {
        purpose
        for purpose in Purpose
        if not judge_robots_page(response(body), page, intent(purpose), now_us=NOW).action.passes
    } == refused
    same = response("", ("x-robots-tag", content))
    assert {
        purpose
        for purpose in Purpose
        if not judge_robots_header(same, intent(purpose), now_us=NOW).action.passes
    } == refused


def test_a_search_agent_learns_that_no_copy_may_be_stored():
    verdict = judge_robots_header(response("", ("x-robots-tag", "noarchive")), intent(SEARCH), now_us=NOW)
    assert verdict.action is Action.KEEP
    assert "no copy may be stored" in verdict.evidence[0].note


def test_links_are_followed_unless_the_response_asks_otherwise():
    def forbids(value):
        return what_forbids_links(response("", ("x-robots-tag", value)), None, "ExampleBot", now_us=NOW)

    assert forbids("noindex") is None
    assert forbids("otherbot: nofollow") is None
    assert "NoFollow" in forbids("NoFollow").text
    assert "none" in forbids("none").text
    meta = response('<meta name="robots" content="nofollow">')
    assert what_forbids_links(meta, open_page(meta, "ExampleBot"), "ExampleBot", now_us=NOW).line == 1


def test_a_page_with_a_harmless_greeting_to_robots_is_not_opened():
    for content in ("index, follow", "all", "max-snippet:-1", "max-image-preview:large"):
        assert page_of(head(meta(content), "<style>p{display:none}</style>")) is None
    assert find_markers(b"robots " * 60) is NO_MARKERS
    assert find_markers(
        b'<meta name="robots" content="index">' * 100
    ).robots  # too many to look at one by one


def test_a_restriction_in_the_last_octets_and_in_utf_16_is_found():
    late = "<p>x</p>" * 60_000 + meta("noindex")
    assert denied(metas(late)) == ["noindex"]
    wide = ResponseFacts(
        url=URL,
        status=200,
        headers=(("content-type", "text/html"),),
        body=head(meta("noindex")).encode("utf-16"),
    )
    assert denied(read_meta_robots(open_page(wide, TOKEN), TOKEN, now_us=NOW)) == ["noindex"]


def test_a_restriction_behind_the_tag_budget_is_found():
    body = "<b>" * 20_001 + meta("noindex")
    (found,) = metas(body)
    assert (found.use, found.problem) == ("noindex", Problem.MISPLACED)


@given(
    body=st.text(alphabet="<>!-/\"'= abcmetrobsnidx&#;\x00ツ", max_size=300), octets=st.binary(max_size=60)
)
def test_pages_of_any_text_are_read_without_raising(body, octets):
    mixed = (head(meta("noindex")) + body).encode() + octets
    assert denied(metas(mixed)) == ["noindex"] or b"<" in octets or "<" in body
    metas(octets + body.encode())


# TDMRep


def tdm(value, *purposes, **more):
    headers = (("tdm-reservation", value),) if value is not None else ()
    return judge_tdm_response(response("", *headers), None, intent(*purposes), **more)


def in_file(reserved):
    place = Evidence(source="https://example.com/.well-known/tdmrep.json", line=3)
    return [(TdmReservation(reserved=reserved, layer=Layer.FILE), place)]


def test_each_purpose_is_refused_by_a_reservation_as_its_row_says():
    for purpose in Purpose:
        assert tdm("1", purpose).action is Action.SKIP
        assert tdm("0", purpose).action is Action.KEEP
    lifted = intent(SEARCH, honour_tdm_beyond_mining=False)
    reserved = response("", ("tdm-reservation", "1"), ("tdm-policy", "https://example.com/p.json"))
    assert judge_tdm_response(reserved, None, lifted).action is Action.KEEP
    research = judge_tdm_response(reserved, None, intent(RESEARCH, research_org=True))
    assert research.action is Action.KEEP
    assert "https://example.com/p.json" in research.evidence[0].note


@pytest.mark.parametrize("value", ['"1"', "'1'", " 1 ", "1, 0", "0, 1"])
def test_case_45_a_reservation_in_quotes_counts_and_of_contradictions_the_reservation(value):
    assert tdm(value, TRAINING).action is Action.SKIP


@pytest.mark.parametrize("value", ["true", "2", "", "yes", "1.0", "-1", "١"])
def test_case_45_any_other_value_leaves_the_reservation_unset_and_is_logged(value):
    verdict = tdm(value, TRAINING)
    assert verdict.action is Action.KEEP
    assert "neither 0 nor 1" in verdict.evidence[0].note
    strict = intent(TRAINING, deny_malformed_reservations=True)
    assert (
        judge_tdm_response(response("", ("tdm-reservation", value)), None, strict).reason
        is Reason.TDM_RESERVATION
    )
    assert tdm(value, TRAINING, file=in_file(True)).action is Action.SKIP


def test_case_46_a_later_place_supersedes_and_absence_never_resets():
    assert tdm("0", TRAINING, file=in_file(True)).action is Action.KEEP
    body = head('<meta name="tdm-reservation" content="1">')
    both = response(body, ("tdm-reservation", "0"))
    verdict = judge_tdm_response(both, page_of(body), intent(TRAINING), file=in_file(True))
    assert verdict.action is Action.SKIP
    notes = [evidence.note for evidence in verdict.evidence]
    assert sum("superseded by the page" in note for note in notes) == 2
    absent = head('<meta name="tdm-policy" content="https://example.com/p">')
    header_only = response(absent, ("tdm-reservation", "1"))
    assert judge_tdm_response(header_only, page_of(absent), intent(TRAINING)).action is Action.SKIP
    file_only = judge_tdm_reservation(in_file(True), (), intent(TRAINING), passed=Action.FETCH)
    assert file_only.action is Action.SKIP


def test_a_release_outside_the_head_does_not_lift_a_reservation():
    body = "<body><p>x</p><meta name='tdm-reservation' content='0'></body>"
    reserved = response(body, ("tdm-reservation", "1"))
    assert judge_tdm_response(reserved, page_of(body), intent(TRAINING)).action is Action.SKIP


def test_a_redirect_says_nothing_about_the_content_that_it_points_to():
    moved = response("", ("tdm-reservation", "1"), status=302)
    assert judge_tdm_response(moved, None, intent(TRAINING)).action is Action.KEEP


def test_what_is_absent_passes_without_evidence_and_always_as_the_same_object():
    for judge in (
        lambda: judge_robots_header(response(), intent(TRAINING), now_us=NOW),
        lambda: judge_robots_page(response(), None, intent(TRAINING), now_us=NOW),
        lambda: judge_tdm_response(response(), None, intent(TRAINING), file=in_file(True)),
    ):
        assert judge() is judge()
        assert judge().evidence == ()


@given(values=st.lists(st.text(max_size=30), max_size=4))
def test_reservations_of_any_text_are_read_without_raising(values):
    reading = parse_tdm_headers([("tdm-reservation", value) for value in values])
    assert len(reading.reservations) <= 2
