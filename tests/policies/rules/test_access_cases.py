"""The numbered hard cases of paywalls, logins and challenges, as rules; the crawls are in `test_refusals.py`."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.facts import ResponseFacts
from policies.paywall_vendors import load_paywall_vendors
from policies.precedence import switched_by
from policies.response_rules import judge_opened_body, judge_response_body, judge_response_head
from policies.rules.judged_rows import Intent
from policies.rules.paywall import find_free_text
from policies.signals.page_markers import open_page
from policies.vocabulary import Action, Purpose, Reason

URL = "https://news.example.com/2026/11/story"
PROSE = "The council voted on Tuesday to widen the lane along the canal, after two years of argument. " * 20
PIANO = '<script src="https://cdn.tinypass.com/api/tinypass.min.js"></script>'
VENDORS = load_paywall_vendors()


def answer(html, status=200, *headers):
    fields = (("content-type", "text/html; charset=utf-8"), *headers)
    return ResponseFacts(url=URL, status=status, headers=fields, body=html.encode())


def reason(html, status=200, *headers):
    response = answer(html, status, *headers)
    head = judge_response_head(URL, response)
    return (judge_response_body(response) if head.passes else head).deciding.reason


def ld(value, tail=""):
    text = value if isinstance(value, str) else json.dumps(value)
    return f'<script type="application/ld+json">{text}</script><p>{PROSE}</p>{tail}'


@pytest.mark.parametrize(
    "value",
    [
        False, "False", "false", " FALSE ", "no", 0, "0", "http://schema.org/False", "https://schema.org/False",
        {"@value": "false"}, {"@id": "http://schema.org/False"}, ["false"], [True, False],
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "shape",
    [
        lambda article: article,
        lambda article: [article],
        lambda article: {"@graph": [{"@type": "WebSite"}, article]},
        lambda article: {"@type": "WebPage", "mainEntity": article},
        lambda article: {"@type": ["WebPage", "FAQPage"], "mainEntityOfPage": [article]},
    ],
)
def test_case_56_every_spelling_in_every_shape_restricts(value, shape):
    article = {"@type": ["NewsArticle"], "isAccessibleForFree": value}
    assert reason(ld(shape(article))) is Reason.PAYWALL_STRUCTURED_DATA


@pytest.mark.parametrize(
    "kind", ["VideoObject", "Course", "LiveBlogPosting", "Recipe", "Comment", "MadeUpType"]
)
def test_case_56_whatever_the_page_is_about_its_own_statement_counts(kind):
    assert reason(ld({"@type": kind, "isAccessibleForFree": False})) is Reason.PAYWALL_STRUCTURED_DATA


@pytest.mark.parametrize(
    "html",
    [
        '<div itemscope itemtype="https://schema.org/Article"><meta itemprop="isAccessibleForFree" content=false></div>',
        '<div itemscope itemtype="https://schema.org/Article"><link itemprop="isAccessibleForFree" href="http://schema.org/False"></div>',
        '<div itemscope><span itemprop="isAccessibleForFree">False</span></div>',
        '<div vocab="https://schema.org/" typeof="Article"><meta property="isAccessibleForFree" content="false"></div>',
    ],
)
def test_case_56_microdata_and_rdfa_restrict(html):
    assert reason(html + PROSE) is Reason.PAYWALL_STRUCTURED_DATA


@pytest.mark.parametrize(
    "relation",
    [
        "mentions",
        "citation",
        "relatedLink",
        "isBasedOn",
        "itemListElement",
        "workExample",
        "about",
        "subjectOf",
    ],
)
def test_case_56_what_the_page_only_points_at_is_not_the_page(relation):
    other = {"@type": "Article", "isAccessibleForFree": False}
    assert reason(ld({"@type": "Article", "isAccessibleForFree": True, relation: [other]})) is Reason.KEPT


@pytest.mark.parametrize(
    ("text", "flagged"),
    [
        ('{"@type": "Article", "isAccessibleForFree": false,}', True),
        ('<!-- {"@type": "Article", "isAccessibleForFree": false} -->', True),
        ('//<![CDATA[\n{"@type": "Article", "isAccessibleForFree": false}\n//]]>', True),
        ('{"@type": "WebSite"} {"@type": "Article", "isAccessibleForFree": false}', False),
        ('{"@type": "Article", "isAccessibleForFree": false', True),
        ("{'@type': 'Article', 'isAccessibleForFree': False}", True),
    ],
)
def test_case_57_json_that_is_none_is_read_all_the_same_and_flagged(text, flagged):
    deciding = judge_response_body(answer(ld(text))).deciding
    assert deciding.reason is Reason.PAYWALL_STRUCTURED_DATA
    assert ("repaired" in deciding.evidence[0].note or "read as text" in deciding.evidence[0].note) is flagged


def partly(selector=".paid", **more):
    part = {"@type": "WebPageElement", "isAccessibleForFree": False, "cssSelector": selector}
    return {"@type": "Article", "isAccessibleForFree": True, "hasPart": part, **more}


def free_text(html):
    page = open_page(answer(html), "", VENDORS)
    return find_free_text(page) if page is not None else None


def test_case_58_only_the_text_outside_the_selector_is_kept():
    html = ld(partly(), '<div class="a paid"><div>closed<div></div></div></div><i class=unpaid>open</i>')
    assert reason(html) is Reason.KEPT
    rest = free_text(html)
    assert "closed" not in rest
    assert "open</i>" in rest
    assert "script" not in rest


@pytest.mark.parametrize(
    ("data", "tail"),
    [
        (partly(), "nothing of that class"),
        (partly("div > .paid"), '<div class="paid">x</div>'),
        (partly("#paid"), '<div id="paid">x</div>'),
        (partly([".paid", ".also"]), '<div class="paid">x</div>'),
        (partly(None), '<div class="paid">x</div>'),
        ({**partly(), "isAccessibleForFree": False}, '<div class="paid">x</div>'),
        ({k: v for k, v in partly().items() if k != "isAccessibleForFree"}, '<div class="paid">x</div>'),
        (partly(video={"@type": "VideoObject", "isAccessibleForFree": False}), '<div class="paid">x</div>'),
        (partly(), '<div class="paid">x</div><meta property="article:content_tier" content="locked">'),
        (partly(), '<div class="paid">x</div><meta itemprop="isAccessibleForFree" content="false">'),
    ],
)
def test_case_58_where_the_parts_cannot_be_told_the_whole_page_is_closed(data, tail):
    html = ld(data, tail)
    assert free_text(html) is None
    assert reason(html) is Reason.PAYWALL_STRUCTURED_DATA


def test_case_58_an_element_without_an_end_takes_the_rest_of_the_page_with_it():
    rest = free_text(ld(partly(), '<p>open</p><section class="paid"><p>closed</p>'))
    assert "open" in rest
    assert "closed" not in rest


@given(
    st.lists(st.sampled_from(['<div class="paid">', "<div>", "</div>", "closed", "<p>", "<br>"]), max_size=12)
)
def test_case_58_no_nesting_lets_closed_text_through(pieces):
    inside = "".join(piece for piece in pieces if piece != "</div>")
    rest = free_text(ld(partly(), f'<section class="paid">{inside}closed</section>'))
    assert rest is None or "closed" not in rest


@pytest.mark.parametrize(
    ("tiers", "expected"),
    [
        (("free", "locked"), Reason.PAYWALL_MARKUP),
        (("locked", "free"), Reason.PAYWALL_MARKUP),
        (("metered", "locked"), Reason.PAYWALL_MARKUP),
        (("free", "metered"), Reason.PAYWALL_METERED),
        (("Metered",), Reason.PAYWALL_METERED),
        (("free", "free"), Reason.KEPT),
        (("premium",), Reason.PAYWALL_MARKUP),
        (("what-is-this",), Reason.PAYWALL_MARKUP),
    ],
)
def test_case_59_of_two_tiers_the_strictest_holds(tiers, expected):
    metas = "".join(f'<meta property="article:content_tier" content="{tier}">' for tier in tiers)
    assert reason(f"<head>{metas}</head><p>{PROSE}</p>") is expected


@pytest.mark.parametrize("script", [PIANO, '<script>window.tp=[];tp.push(["init"])</script>' + PIANO])
@pytest.mark.parametrize(
    "beside", ["", "<aside>Subscribe now, cancel anytime.</aside>", "<p>For members only.</p>"]
)
def test_case_60_a_vendors_script_on_a_free_page_is_no_restriction(script, beside):
    assert reason(f"{script}<article><p>{PROSE}</p></article>{beside}") is Reason.KEPT


@pytest.mark.parametrize(
    "gate",
    [
        "<h3>Subscribe to continue reading</h3>",
        "<h3>Subscribe <b>now</b> to\n continue&nbsp;reading</h3>",
        "<p>You’ve reached your article limit</p>",
        "<div class='x'>Cet article est réservé aux abonnés</div>",
        "<div>CET ARTICLE EST RÉSERVÉ AUX ABONNÉS.</div>",
        "<p>この記事は有料会員限定です</p>",
        "<dialog open>This article is for subscribers only</dialog>",
        "<aside>To keep reading, log in or create an account.</aside>",
    ],
)
def test_a_vendors_mark_counts_with_words_of_a_gate_and_neither_alone(gate):
    closed = f"{PIANO}<article><p>{PROSE}</p>{gate}</article>"
    deciding = judge_response_body(answer(closed.replace("&nbsp;", "\u00a0"))).deciding
    assert deciding.reason is Reason.PAYWALL_GATE
    assert "Piano" in deciding.evidence[0].note
    assert deciding.evidence[0].line
    assert reason(f"<article><p>{PROSE}</p>{gate}</article>") is Reason.KEPT


@pytest.mark.parametrize(
    "hidden",
    [
        "<div hidden>{}</div>", '<div style="display: none">{}</div>', '<div aria-hidden="true">{}</div>',
        "<template>{}</template>", "<noscript>{}</noscript>", "<dialog>{}</dialog>", "<blockquote>{}</blockquote>",
        "<footer>{}</footer>", '<div role="navigation">{}</div>', '<div class="x d-none">{}</div>', "<!--{}-->",
        '<script type="text/template">{}</script>',
    ],
)  # fmt: skip
def test_a_gate_that_no_reader_meets_is_none(hidden):
    html = f"{PIANO}<article><p>{PROSE}</p></article>" + hidden.format("<p>Subscribe to continue reading</p>")
    assert reason(html) is Reason.KEPT


def test_a_home_made_gate_needs_its_mark_in_the_markup_and_its_words():
    words = "<p>Contenuto riservato agli abbonati</p>"
    assert reason(f'<div class="c-paywall">{words}</div>') is Reason.PAYWALL_GATE
    assert reason(f'<div data-paywall-state="on">{words}</div>') is Reason.PAYWALL_GATE
    assert reason(f"<p>Why a paywall?</p>{words}") is Reason.KEPT
    assert reason(f'<div class="c-paywall"></div><p>{PROSE}</p>') is Reason.KEPT


def test_a_metered_page_is_for_readers_unless_the_operators_policy_says_otherwise():
    html = f"{PIANO}<p>You have 2 free articles left this month.</p><p>{PROSE}</p>"
    assert reason(html) is Reason.PAYWALL_METERED
    lenient = Intent(
        token="ExampleBot",
        purposes=frozenset({Purpose.SEARCH}),
        switched=switched_by({"honour_metering": False}),
    )
    response = answer(html)
    assessment = judge_opened_body(response, open_page(response, "", VENDORS), VENDORS, lenient)
    assert assessment.passes
    assert "row 13a" in assessment.deciding.evidence[0].note


def test_a_declared_paywall_binds_every_purpose_but_search_where_the_policy_says_so():
    response = answer(ld({"@type": "Article", "isAccessibleForFree": False}))
    page = open_page(response, "", VENDORS)
    switched = switched_by({"honour_paywalls_for_search": False})
    for purpose in Purpose:
        intent = Intent(token="x", purposes=frozenset({purpose}), switched=switched)
        passes = judge_opened_body(response, page, VENDORS, intent).passes
        assert passes is (purpose is Purpose.SEARCH)


def test_case_61_a_login_form_in_passing_is_none_and_a_page_that_is_one_is():
    form = '<form><input name="u"><input type="password"></form>'
    assert reason(f"<header>{form}</header><article><p>{PROSE}</p></article>") is Reason.KEPT
    assert reason(f"<main><h1>Members</h1>{form}</main>") is Reason.LOGIN_REQUIRED


@pytest.mark.parametrize("status", [200, 403, 503, 429, 202, 404, 451])
def test_case_65_a_named_challenge_is_one_whatever_its_status(status):
    assert reason(PROSE, status, ("cf-mitigated", "challenge")) is Reason.BOT_CHALLENGE


@pytest.mark.parametrize(
    ("status", "header"),
    [(202, ("x-amzn-waf-action", "challenge")), (405, ("x-amzn-waf-action", "captcha"))],
)
def test_case_64_an_empty_answer_that_asks_for_a_token_is_a_challenge(status, header):
    assert judge_response_head(URL, answer("", status, header)).deciding.reason is Reason.BOT_CHALLENGE


@pytest.mark.parametrize(
    "script",
    [
        '<script src="https://www.google.com/recaptcha/api.js"></script>',
        '<script src="https://hcaptcha.com/1/api.js"></script>',
        '<script src="https://challenges.cloudflare.com/turnstile/v0/api.js"></script>',
        "<script src='/cdn-cgi/challenge-platform/scripts/jsd/main.js'></script>",
        "<script src='/_Incapsula_Resource?SWJIYLWA=1'></script>",
        "<title>Just a moment...</title>",
    ],
)
@pytest.mark.parametrize("text", ["A short notice.", PROSE])
def test_case_66_the_name_of_a_defence_is_no_challenge(script, text):
    assert reason(f"<html>{script}<p>{text}</p></html>") is Reason.KEPT


CHALLENGE = (
    '<title>Just a moment...</title><script>window._cf_chl_opt={};"/cdn-cgi/challenge-platform/x"</script>'
)


def test_a_challenge_page_counts_only_where_there_is_nothing_else_to_read():
    assert reason(CHALLENGE) is Reason.BOT_CHALLENGE
    assert reason(CHALLENGE, 503) is Reason.BOT_CHALLENGE
    assert reason(f"{CHALLENGE}<p>{PROSE}</p>") is Reason.KEPT
    assert reason(CHALLENGE + '<a href="/">x</a>' * 9) is Reason.KEPT


def test_an_overload_is_no_challenge_and_a_refusal_tells_what_stood_before_it():
    assert reason("<p>Busy</p>", 503, ("retry-after", "5")) is Reason.RATE_LIMITED
    assert reason("<p>Busy</p>", 429, ("set-cookie", "_abck=x")) is Reason.RATE_LIMITED
    verdict = judge_response_head(URL, answer("no", 403, ("set-cookie", "_abck=secret; Path=/"))).deciding
    assert verdict.reason is Reason.HTTP_403
    assert verdict.evidence[1].text == "set-cookie: _abck=…"


def test_case_63_a_price_on_a_page_is_kept_as_evidence_and_a_charge_is_an_alarm():
    priced = judge_response_head(URL, answer(PROSE, 200, ("crawler-price", "USD 0.01")))
    assert priced.passes
    assert priced.verdicts[1].evidence[0].text == "crawler-price: USD 0.01"
    both = answer(PROSE, 200, ("www-authenticate", "Basic"), ("crawler-charged", "USD 0.01"))
    assert judge_response_head(URL, both).deciding.reason is Reason.CRAWLER_CHARGED
    denied = judge_response_head(URL, answer("", 403, ("crawler-error", "CrawlerForbidden"))).deciding
    assert denied.evidence[1].text == "crawler-error: CrawlerForbidden"


@pytest.mark.parametrize(
    "html",
    [
        '<meta http-equiv="refresh" content="0;url=/login?next=x">',
        "<META HTTP-EQUIV=Refresh CONTENT='5; URL=\"https://accounts.example.com/\"'>",
        '<meta http-equiv="refresh" content="0, /users/sign_in">',
        f'<meta http-equiv="refresh" content="3;url=/login"><p>{PROSE}</p>',
        '<script>window.location.href = "/login";</script>',
        "<script>top.location.replace('https://sso.example.com/x')</script>",
        '<title>Sign in | News</title><form><input type="email"></form>',
        "<title>ログイン - 港湾新報</title><form><input autocomplete=username></form>",
        '<form method=post><input type=hidden name="SAMLRequest" value="x"></form>',
    ],
)
def test_case_74_a_page_that_sends_its_reader_to_a_login_is_one(html):
    assert reason(f"<html>{html}</html>") is Reason.LOGIN_REQUIRED


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<meta http-equiv="refresh" content="0;url=/elsewhere"><p>Moved</p>', Reason.REDIRECT),
        (f'<meta http-equiv="refresh" content="5;url=/elsewhere"><p>{PROSE}</p>', Reason.REDIRECT),
        (f'<meta http-equiv="refresh" content="300;url=/next"><p>{PROSE}</p>', Reason.KEPT),
        (f'<meta http-equiv="refresh" content="60"><p>{PROSE}</p>', Reason.KEPT),
        ('<meta http-equiv="refresh" content="0;url=#top"><p>Short</p>', Reason.KEPT),
        ('<meta http-equiv="refresh" content="1800;url=/login"><p>Short</p>', Reason.KEPT),
        ('<noscript><meta http-equiv="refresh" content="0;url=/nojs"></noscript><p>x</p>', Reason.KEPT),
        ("<script>location.hash = '/login'; a.location = x</script>", Reason.KEPT),
        (f'<script>location.href="/login"</script><p>{PROSE}</p>', Reason.KEPT),
        ('<title>Sign in the snow</title><form><input type="text"></form>', Reason.KEPT),
        (f'<title>Log in</title><form><input type="email"></form><p>{PROSE}</p>', Reason.KEPT),
    ],
)
def test_case_74_a_page_that_only_leads_elsewhere_is_a_redirect_and_others_are_pages(html, expected):
    assert reason(f"<html>{html}</html>") is expected


def test_a_crawl_that_follows_no_refresh_keeps_the_page_that_has_one():
    response = answer(f'<meta http-equiv="refresh" content="5;url=/elsewhere"><p>{PROSE}</p>')
    page = open_page(response, "", VENDORS)
    assert judge_opened_body(response, page, VENDORS, follows_within=0).passes
    assert not judge_opened_body(response, page, VENDORS, follows_within=6).passes


@given(st.binary(max_size=300), st.sampled_from([200, 202, 403, 429, 503]))
def test_no_octets_make_the_rules_fail(octets, status):
    marks = b'<script src="//cdn.tinypass.com/x"></script><meta http-equiv=refresh content="0;url=/x"><form>'
    response = ResponseFacts(
        url=URL,
        status=status,
        headers=(("content-type", "text/html"),),
        body=marks + octets + b"location=" + octets,
    )
    judge_response_head(URL, response)
    judge_response_body(response)


def test_every_verdict_of_a_restriction_skips():
    for case in (CHALLENGE, '<meta property="article:content_tier" content="locked">'):
        assert judge_response_body(answer(case)).deciding.action is Action.SKIP
