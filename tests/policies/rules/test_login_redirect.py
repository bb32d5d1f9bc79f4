from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.facts import ResponseFacts
from policies.rules.login import judge_login_page, judge_login_redirect
from policies.signals.login import find_login_address
from policies.vocabulary import Action, Reason

ASKED = "https://news.example.com/2026/11/story"


@pytest.mark.parametrize(
    "target",
    [
        "https://news.example.com/login",
        "https://news.example.com/LOGIN/",
        "https://news.example.com/Login.aspx?ReturnUrl=%2f2026",
        "https://news.example.com/users/sign_in",
        "https://news.example.com/wp-login.php?redirect_to=x",
        "https://news.example.com/member-login.php",
        "https://news.example.com/UserLogin.do;jsessionid=1",
        "https://news.example.com/account",
        "https://news.example.com/oauth/authorize?client_id=1",
        "https://news.example.com/adfs/ls/?wa=wsignin1.0",
        "https://news.example.com/x?SAMLRequest=abc",
        "https://news.example.com/x?client_id=1&response_type=code",
        "https://news.example.com/gate?returnUrl=/2026",
        "https://news.example.com/session/new?return_to=x",
        "https://news.example.com/register?next=/2026",
        "https://news.example.com/#/login",
        "https://news.example.com/#!/login?x=1",
        "https://login.example.com/",
        "https://accounts.example.com/x",
        "https://sso.intra.example.com:8443/x",
        "https://user@login.example.com?x",
        "https://accounts.google.com/x",
        "https://tenant.okta.com/app",
        "https://id.example.com/start?continue=x",
        "https://news.example.com/%E3%83%AD%E3%82%B0%E3%82%A4%E3%83%B3",
        "https://news.example.com/会員ログイン",
        "https://news.example.com/de/anmelden",
        "https://news.example.com/fr/Connexion",
        "https://news.example.com/iniciar-sesi%C3%B3n",
        "https://news.example.com/%EB%A1%9C%EA%B7%B8%EC%9D%B8",
        "https://news.example.com/登录",
        "https://news.example.com/войти",
        "/login",
        "//sso.example.com/x",
    ],
)
def test_a_redirect_to_a_login_is_an_access_restriction(target):
    verdict = judge_login_redirect(ASKED, ResponseFacts(url=ASKED, status=302, headers=(), location=target))
    assert (verdict.action, verdict.reason) == (Action.SKIP, Reason.LOGIN_REQUIRED)
    assert verdict.evidence[0].text == f"location: {target}"
    assert verdict.evidence[0].note


@pytest.mark.parametrize(
    "target",
    [
        "https://news.example.com/2026/11/story/",
        "https://www.news.example.com/2026/11/story",
        "https://news.example.com/authors/jane",
        "https://news.example.com/author/login-smith-wins",
        "https://news.example.com/authentic-food",
        "https://news.example.com/accounting",
        "https://news.example.com/accounts-receivable",
        "https://news.example.com/how-to-login-to-your-router",
        "https://news.example.com/login-tips",
        "https://news.example.com/blog/signs-in-nature",
        "https://news.example.com/cas-clients",
        "https://news.example.com/casino",
        "https://news.example.com/users/jane",
        "https://news.example.com/story?next=2",
        "https://news.example.com/consent?returnUrl=/2026",
        "https://news.example.com/set-locale?returnUrl=/2026",
        "https://authority.example.com/x",
        "https://www.accountancyage.com/",
        "https://auth.com/",
        "https://notokta.com/",
        "https://news.example.com/接続",
    ],
)
def test_words_that_only_contain_a_login_are_no_login(target):
    verdict = judge_login_redirect(ASKED, ResponseFacts(url=ASKED, status=302, headers=(), location=target))
    assert verdict.action is Action.KEEP, verdict.evidence


def test_what_the_request_had_already_is_no_news():
    assert not find_login_address("https://a.example/auth/guide", "https://a.example/auth/guide/")
    assert not find_login_address("https://login.a.example.com/x", "https://login.a.example.com/y")
    assert find_login_address("https://a.example/auth/guide", "https://a.example/auth/login")


def test_refresh_headers_and_raw_locations_count():
    refresh = ResponseFacts(url=ASKED, status=200, headers=(("refresh", "0; url=/login"),))
    assert judge_login_redirect(ASKED, refresh).reason is Reason.LOGIN_REQUIRED
    raw = ResponseFacts(url=ASKED, status=303, headers=(("location", "/login"),))
    assert judge_login_redirect(ASKED, raw).reason is Reason.LOGIN_REQUIRED
    assert judge_login_redirect(
        ASKED, ResponseFacts(url=ASKED, status=200, headers=(("refresh", "30"),))
    ).action.passes


def test_a_location_on_a_page_that_was_created_is_no_redirect():
    created = ResponseFacts(url=ASKED, status=201, headers=(("location", "/login"),))
    assert judge_login_redirect(ASKED, created).action is Action.KEEP


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_address_makes_the_rule_fail(asked, target):
    assert isinstance(find_login_address(asked, target), str)


@pytest.mark.parametrize("piece", ["/", "login/", "%", "?a=b&", "-", "aA", ";", "#/", "[", "@", "ロ", "é"])
def test_an_endless_address_is_read_in_no_time(piece):
    import time

    started = time.process_time()
    find_login_address(ASKED, "https://x.example/" + piece * 65_536)
    assert time.process_time() - started < 0.5


def body(html):
    return ResponseFacts(url=ASKED, status=200, headers=(("content-type", "text/html"),), body=html.encode())


PASSWORD = '<form><input type="password"></form>'


def test_a_word_about_passwords_is_no_login_page():
    assert judge_login_page(body("<p>Choose a password of type=text</p>")).action is Action.KEEP


def test_little_text_is_weighed_by_script():
    assert judge_login_page(body(f"<main>{'letter ' * 200}</main>{PASSWORD}")).action is Action.KEEP
    assert judge_login_page(body(f"<main>{'letter ' * 20}</main>{PASSWORD}")).action is Action.SKIP
    assert judge_login_page(body(f"<main>{'記事本文' * 120}</main>{PASSWORD}")).action is Action.KEEP


def test_scripts_and_styles_are_no_text():
    hidden = f"<script>{'var letters;' * 500}</script><style>{'p {}' * 900}</style><!--{'letters ' * 900}-->"
    assert judge_login_page(body(hidden + PASSWORD)).reason is Reason.LOGIN_REQUIRED


def test_spellings_of_a_password_field_are_read():
    for field in ("<INPUT TYPE=PASSWORD>", "<input type = 'password' >", '<input\ntype=\n"password"/>'):
        assert judge_login_page(body(field)).reason is Reason.LOGIN_REQUIRED, field
