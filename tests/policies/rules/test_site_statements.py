"""ai.txt and trust.txt as verdicts."""

import pytest

from policies.precedence import Row, Switched
from policies.rules.ai_txt import AiTxtReading
from policies.rules.judged_rows import Intent
from policies.rules.trust_txt import TrustTxtReading
from policies.signals.rights_fetch import Family, read_rights_answer
from policies.vocabulary import Action, Purpose, Reason

URL = "https://a.example/a.jpg"


def file(family, body, status=200):
    url = f"https://a.example/{family.value}"
    return read_rights_answer(
        family=family, url=url, final_url=url, status=status, headers=(), body=body, fetched_at=1, hops=0, error=None
    )  # fmt: skip


def intent(*purposes, **switched):
    return Intent(token="ExampleBot", purposes=frozenset(purposes), switched=Switched(**switched))


TRAINING = intent(Purpose.AI_TRAINING)
OTHERS = [intent(purpose) for purpose in Purpose if purpose is not Purpose.AI_TRAINING]


def ai(body, status=200):
    return AiTxtReading(file(Family.AI_TXT, body, status))


def trust(body, status=200):
    return TrustTxtReading(file(Family.TRUST_TXT, body, status))


def test_case_53_ai_txt_refuses_training_on_what_it_names_and_cites_the_line():
    reading = ai(b"User-agent: *\nDisallow: *.jpg\n")
    verdict = reading.judge(URL, TRAINING, passed=Action.FETCH)
    assert (verdict.action, verdict.reason) == (Action.SKIP, Reason.AI_TXT)
    assert (verdict.evidence[0].line, verdict.evidence[0].text) == (2, "Disallow: *.jpg")
    assert len(verdict.evidence[0].sha256) == 64
    assert reading.judge("https://a.example/a.html", TRAINING, passed=Action.FETCH).action is Action.FETCH
    assert reading.judge(f"{URL}/../b.jpg", TRAINING, passed=Action.FETCH) is verdict


@pytest.mark.parametrize("other", OTHERS)
def test_ai_txt_and_trust_txt_concern_training_only(other):
    assert ai(b"User-agent: *\nDisallow: /\n").judge(URL, other, passed=Action.FETCH).action is Action.FETCH
    assert trust(b"datatrainingallowed=no").judge(other, passed=Action.FETCH).action is Action.FETCH


def test_an_agent_with_two_purposes_is_refused_for_the_stricter():
    both = intent(Purpose.SEARCH, Purpose.AI_TRAINING)
    verdict = ai(b"User-agent: *\nDisallow: /\n").judge(URL, both, passed=Action.FETCH)
    assert verdict.action is Action.SKIP
    assert "refused for ai-training" in verdict.evidence[0].note


@pytest.mark.parametrize(
    ("body", "status"), [(b"# T\n\ntext\n- a\n", 200), (b"<html>", 200), (b"x", 404), (b"x", 503)]
)
def test_case_54_another_format_or_no_file_says_nothing(body, status):
    for verdict in (
        ai(body, status).judge(URL, TRAINING, passed=Action.FETCH),
        trust(body, status).judge(TRAINING, passed=Action.FETCH),
    ):
        assert (verdict.action, verdict.reason, verdict.evidence) == (Action.FETCH, Reason.NOT_APPLICABLE, ())


def test_case_55_a_no_refuses_in_any_case_and_a_contradiction_by_policy():
    refused = trust(b"datatrainingallowed=NO").judge(TRAINING, passed=Action.FETCH)
    assert (refused.action, refused.reason) == (Action.SKIP, Reason.TRUST_TXT)
    twice = trust(b"datatrainingallowed=yes\ndatatrainingallowed=no\n")
    assert twice.judge(TRAINING, passed=Action.FETCH).action is Action.SKIP
    lifted = intent(Purpose.AI_TRAINING, lifted=frozenset({Row.TRUST_TXT_INVALID, Row.TRUST_TXT}))
    assert twice.judge(lifted, passed=Action.FETCH).action is Action.FETCH
    assert trust(b"datatrainingallowed=no").judge(lifted, passed=Action.FETCH).action is Action.SKIP
    harmless = trust(b"datatrainingallowed=yes\ndatatrainingallowed=yes\n").judge(
        TRAINING, passed=Action.FETCH
    )
    assert harmless.action is Action.FETCH
    assert "invalid" in harmless.evidence[0].note


def test_a_yes_is_shown_and_lifts_nothing():
    verdict = trust(b"datatrainingallowed=yes").judge(TRAINING, passed=Action.FETCH)
    assert (verdict.action, verdict.reason) == (Action.FETCH, Reason.ALLOWED)
    assert verdict.evidence[0].text == "datatrainingallowed=yes"
