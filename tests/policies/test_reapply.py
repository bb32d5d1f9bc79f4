"""What withdraws a kept page, what leaves it undecided, and what says nothing of it."""

import pytest

from policies.basis import decode_basis, encode_basis
from policies.reapply import Again, judge_again, withdrawal, withdrawn_record
from policies.vocabulary import Action, Assessment, Evidence, Reason, Verdict

SEGMENT = "0f7b5c52-6d0c-8000-8000-000000000001"


def verdict(reason, action=Action.SKIP):
    return Verdict(
        rule="r", action=action, reason=reason, evidence=(Evidence(source="s", text=reason.value),)
    )


PASSED = verdict(Reason.ALLOWED, Action.FETCH)


@pytest.mark.parametrize(
    "reason",
    [Reason.ROBOTS_DISALLOW, Reason.PIRACY_LIST, Reason.TDM_RESERVATION, Reason.LICENCE_TERMS, Reason.HTTP_403,
     Reason.NOAI, Reason.PAYWALL_STRUCTURED_DATA, Reason.ROBOTS_DENIED],
)  # fmt: skip
def test_a_refusal_withdraws(reason):
    found = judge_again([PASSED, verdict(reason), PASSED])
    assert (found.outcome, found.because) == (Again.WITHDRAW, (verdict(reason),))


@pytest.mark.parametrize("reason", [Reason.CRAWL_DELAY_TOO_LONG, Reason.VISIT_TIME, Reason.RATE_LIMITED])
@pytest.mark.parametrize("action", [Action.SKIP, Action.DEFER])
def test_pace_says_nothing_of_what_was_kept(reason, action):
    assert judge_again([PASSED, verdict(reason, action)]).outcome is Again.STANDS


@pytest.mark.parametrize(
    "one",
    [
        verdict(Reason.ROBOTS_UNREACHABLE),
        verdict(Reason.POLICY_SCOPE),
        verdict(Reason.LICENCE_UNKNOWN, Action.DEFER),
    ],
)
def test_silence_is_undecided_and_a_refusal_beside_it_still_withdraws(one):
    assert judge_again([one]).outcome is Again.UNDECIDED
    found = judge_again([one, verdict(Reason.PIRACY_LIST)])
    assert found.outcome is Again.WITHDRAW
    assert found.because == (verdict(Reason.PIRACY_LIST),)


def test_nothing_that_refuses_stands():
    assert judge_again([]).outcome is Again.STANDS
    assert judge_again([PASSED, verdict(Reason.WAIVER_USED, Action.FETCH)]).outcome is Again.STANDS


def test_a_withdrawal_names_the_record_and_why_and_is_read_back_from_its_basis():
    verdicts = withdrawal(
        SEGMENT, 42, run="r-1", kept_us=7, body_sha256="ab" * 32, because=(verdict(Reason.NOAI),)
    )
    basis = decode_basis(encode_basis(Assessment(verdicts=verdicts)))
    assert withdrawn_record(basis.verdicts) == (SEGMENT, 42)
    assert basis.deciding.reason is Reason.WITHDRAWN
    assert [one.text for one in basis.deciding.evidence] == [f"{SEGMENT}#42", "noai"]
    assert basis.verdicts[1:] == (verdict(Reason.NOAI),)


@pytest.mark.parametrize("text", ["", "#", "x", "#1", f"{SEGMENT}#", f"{SEGMENT}#-1", f"{SEGMENT}#１"])
def test_what_names_no_record_is_no_withdrawal(text):
    one = Verdict(
        rule="reapply",
        action=Action.SKIP,
        reason=Reason.WITHDRAWN,
        evidence=(Evidence(source="s", text=text),),
    )
    assert withdrawn_record([one]) is None
    assert withdrawn_record([verdict(Reason.WITHDRAWN)]) is None
