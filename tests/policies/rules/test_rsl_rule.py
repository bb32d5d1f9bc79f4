"""What RSL terms mean for each purpose."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.precedence import Row, Switched
from policies.rules.judged_rows import Intent
from policies.rules.rsl import NOBODY, Licences, Party, read_licence
from policies.signals.licence_links import LicenceLink, Place, licence_of_line
from policies.signals.rights_fetch import Family, read_rights_answer
from policies.vocabulary import Action, Origin, Purpose, Reason

ORIGIN = Origin(scheme="https", host="a.example", port=443)
URL = "https://a.example/x"


def reading(body, status=200):
    link = licence_of_line("https://l.example/l.rsl", line=2, text="License: https://l.example/l.rsl")
    file = read_rights_answer(
        family=Family.RSL, url=link.url, final_url=link.url, status=status, headers=(), body=body, fetched_at=10, hops=0,
        error=None,
    )  # fmt: skip
    return read_licence(link, file)


def offers(*inner, server="", url="/"):
    licences = "".join(f"<license>{one}</license>" for one in inner)
    server = f' server="{server}"' if server else ""
    return f'<rsl xmlns="https://rslstandard.org/rsl"><content url="{url}"{server}>{licences}</content></rsl>'.encode()


def judged(*bodies, purpose=Purpose.AI_TRAINING, party=NOBODY, passed=Action.FETCH, switched=None, url=URL):
    purposes = purpose if isinstance(purpose, frozenset) else frozenset({purpose})
    intent = Intent(token="ExampleBot", purposes=purposes, switched=switched or Switched())
    return Licences([reading(body) for body in bodies]).judge(url, ORIGIN, intent, passed=passed, party=party)


def permits(tokens):
    return f'<permits type="usage">{tokens}</permits>'


def prohibits(tokens):
    return f'<prohibits type="usage">{tokens}</prohibits>'


def came_to(*bodies, **more):
    verdict = judged(*bodies, **more)
    return verdict.action, verdict.reason


OPEN = (Action.FETCH, Reason.ALLOWED)
CLOSED = (Action.SKIP, Reason.LICENCE_TERMS)
UNKNOWN = (Action.SKIP, Reason.LICENCE_UNKNOWN)
HELD = (Action.DEFER, Reason.LICENCE_UNKNOWN)
TRAINING, INPUT, SEARCH, ARCHIVE, RESEARCH = (
    Purpose.AI_TRAINING, Purpose.AI_INPUT, Purpose.SEARCH, Purpose.ARCHIVE, Purpose.RESEARCH
)  # fmt: skip


@pytest.mark.parametrize(
    ("inner", "open_for"),
    [
        ("", set(Purpose)),
        (permits("all"), set(Purpose)),
        (permits("ai-all"), {TRAINING, INPUT, RESEARCH}),
        (permits("ai-train"), {TRAINING, RESEARCH}),
        (permits("ai-input"), {INPUT}),
        (permits("search"), {SEARCH}),
        (permits("ai-index"), set()),
        (permits(""), set()),
        (permits("train-ai"), set()),
        (prohibits("all"), set()),
        (prohibits("ai-all"), {SEARCH, ARCHIVE}),
        (prohibits("ai-train"), {INPUT, SEARCH, ARCHIVE}),
        (prohibits("search"), {TRAINING, INPUT, ARCHIVE, RESEARCH}),
        (permits("all") + prohibits("ai-train"), {INPUT, SEARCH, ARCHIVE}),
        (permits("ai-train") + prohibits("ai-train"), set()),
    ],
)
@pytest.mark.parametrize("purpose", Purpose)
def test_case_49_permits_lists_all_that_is_permitted_and_prohibits_wins(inner, open_for, purpose):
    assert came_to(offers(inner), purpose=purpose) == (OPEN if purpose in open_for else CLOSED)


@pytest.mark.parametrize("kind", ["purchase", "subscription", "training", "crawl", "use", "contribution"])
@pytest.mark.parametrize("purpose", Purpose)
def test_what_asks_for_payment_is_closed(kind, purpose):
    assert came_to(offers(f'<payment type="{kind}"/>'), purpose=purpose) == CLOSED


@pytest.mark.parametrize("kind", ["free", "attribution"])
def test_what_is_free_or_asks_for_attribution_is_open(kind):
    assert came_to(offers(f'<payment type="{kind}"/>')) == OPEN


def test_attribution_is_told():
    assert "attribution is owed" in judged(offers('<payment type="attribution"/>')).evidence[0].note


@pytest.mark.parametrize("purpose", Purpose)
def test_case_49_only_a_server_means_a_licence_first(purpose):
    verdict = judged(offers(server="https://s.example/"), purpose=purpose)
    assert (verdict.action, verdict.reason) == CLOSED
    assert "s.example" in verdict.evidence[0].note


def test_a_free_offer_behind_a_server_is_closed():
    assert came_to(offers(permits("all"), server="https://s.example/")) == CLOSED


@pytest.mark.parametrize(
    ("inner", "party", "expected"),
    [
        ('<permits type="geo">GB</permits>', NOBODY, CLOSED),
        ('<permits type="geo">GB</permits>', Party(country="JP"), CLOSED),
        ('<permits type="geo">GB</permits>', Party(country="GB"), OPEN),
        ('<prohibits type="geo">GB</prohibits>', NOBODY, CLOSED),
        ('<prohibits type="geo">GB</prohibits>', Party(country="JP"), OPEN),
        ('<permits type="user">education</permits>', NOBODY, CLOSED),
        ('<permits type="user">commercial</permits>', Party(users=frozenset({"commercial"})), OPEN),
        ('<permits type="user">personal</permits>', Party(users=frozenset({"commercial"})), CLOSED),
        ('<prohibits type="user">commercial</prohibits>', NOBODY, CLOSED),
        ('<prohibits type="user">personal</prohibits>', Party(users=frozenset({"commercial"})), OPEN),
        (
            '<permits type="user">commercial non-commercial education government personal</permits>',
            NOBODY,
            OPEN,
        ),
    ],
)
def test_case_49_an_offer_to_other_users_or_places_is_closed(inner, party, expected):
    assert came_to(offers(inner), party=party) == expected


def test_a_research_organisation_is_a_user_of_education_for_research_only():
    inner = '<permits type="user">education</permits>'
    declared = Switched(research_org=True)
    assert came_to(offers(inner), purpose=RESEARCH, switched=declared) == OPEN
    assert came_to(offers(inner), purpose=RESEARCH) == CLOSED
    assert came_to(offers(inner), purpose=TRAINING, switched=declared) == CLOSED


@pytest.mark.parametrize(
    "inner", ['<payment type="Use"/>', '<Payment type="use"/>', "<permits>all</permits>"]
)
def test_case_49_what_cannot_be_read_refuses_training_and_holds_the_others(inner):
    assert came_to(offers(inner)) == UNKNOWN
    for purpose in set(Purpose) - {TRAINING}:
        verdict = judged(offers(inner), purpose=purpose)
        assert (verdict.action, verdict.reason) == HELD
        assert verdict.retry_at > 10


def test_what_would_be_held_is_skipped_after_the_response():
    assert came_to(b"<html>", purpose=ARCHIVE, passed=Action.KEEP) == UNKNOWN


def test_an_operator_may_lift_what_holds_by_policy_and_not_what_refuses():
    lifted = Switched(lifted=frozenset({Row.LICENCE_UNKNOWN}))
    assert came_to(b"<html>", purpose=ARCHIVE, switched=lifted)[0] is Action.FETCH
    assert came_to(b"<html>", purpose=TRAINING, switched=lifted) == UNKNOWN


def test_of_several_offers_one_that_is_open_is_enough_in_any_order():
    inner = [permits("search"), '<payment type="crawl"/>', permits("ai-train")]
    for order in itertools.permutations(inner):
        assert came_to(offers(*order)) == OPEN
    assert came_to(offers(*inner[:2])) == CLOSED


def test_case_49_of_several_licences_the_most_restrictive_holds_in_any_order():
    bodies = [offers(permits("all")), offers(prohibits("ai-train")), b"<html>"]
    for order in itertools.permutations(bodies):
        assert came_to(*order) == CLOSED
    assert came_to(bodies[0], bodies[2]) == UNKNOWN
    assert came_to(bodies[0], bodies[0]) == OPEN


def test_a_licence_for_other_places_says_nothing():
    assert came_to(offers(prohibits("all"), url="/other/")) == (Action.FETCH, Reason.NOT_APPLICABLE)


def test_without_licences_there_is_nothing_to_judge():
    assert came_to() == (Action.FETCH, Reason.NOT_APPLICABLE)


def test_of_several_purposes_the_most_restrictive_holds_and_is_named():
    verdict = judged(offers(permits("search")), purpose=frozenset({SEARCH, TRAINING}))
    assert (verdict.action, verdict.reason) == CLOSED
    assert "ai-training" in verdict.evidence[0].note
    assert "refused for ai-training" in verdict.evidence[0].note


@pytest.mark.parametrize("status", [404, 401, 500])
def test_case_49_a_licence_that_was_not_obtained_has_unknown_terms(status):
    licences = Licences([reading(b"", status)])
    intent = Intent(token="x", purposes=frozenset({TRAINING}))
    verdict = licences.judge(URL, ORIGIN, intent, passed=Action.FETCH)
    assert (verdict.action, verdict.reason) == UNKNOWN
    assert "not obtained" in verdict.evidence[0].note


def test_an_inline_document_counts_and_cites_the_page():
    link = LicenceLink(
        place=Place.SCRIPT, url="", line=7, text="<script…>", document=offers(prohibits("all")).decode()
    )
    found = read_licence(link, None, page_url=URL, page_body=b"page")
    intent = Intent(token="x", purposes=frozenset({TRAINING}))
    verdict = Licences([found]).judge(URL, ORIGIN, intent, passed=Action.KEEP)
    assert (verdict.action, verdict.reason) == CLOSED
    assert (verdict.evidence[0].source, verdict.evidence[0].line) == (URL, 7)
    assert len(verdict.evidence[0].sha256) == 64


def test_the_same_question_gives_the_same_object():
    licences = Licences([reading(offers(permits("search")))])
    intent = Intent(token="x", purposes=frozenset({TRAINING}))
    first = licences.judge(URL, ORIGIN, intent, passed=Action.FETCH)
    assert licences.judge(f"{URL}/y", ORIGIN, intent, passed=Action.FETCH) is first


TERMS = st.sampled_from(
    ["", permits("all"), permits("search"), prohibits("ai-train"), '<payment type="use"/>', "<Payment/>"]
)
_RANK = {Action.FETCH: 0, Action.DEFER: 1, Action.SKIP: 2}


@given(st.lists(TERMS, min_size=1, max_size=3), TERMS, st.sampled_from(list(Purpose)))
def test_one_more_licence_never_permits_more(first, second, purpose):
    alone = judged(offers(*first), purpose=purpose)
    both = judged(offers(*first), offers(second), purpose=purpose)
    assert _RANK[both.action] >= _RANK[alone.action]


@given(TERMS, st.frozensets(st.sampled_from(list(Purpose)), min_size=1))
def test_one_more_purpose_never_permits_more(inner, purposes):
    ranks = [_RANK[judged(offers(inner), purpose=one).action] for one in purposes]
    assert _RANK[judged(offers(inner), purpose=purposes).action] >= max(ranks)
