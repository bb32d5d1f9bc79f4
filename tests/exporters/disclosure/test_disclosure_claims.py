"""A claim that the log contradicts is called contradicted, with the records that do it."""

from __future__ import annotations

import re

import pytest

from blocklists.domain import registrable_domain
from exporters.disclosure.claims import Claim, Status
from exporters.disclosure.promises import ASKED, KEPT, OBEYED
from policies.agents import Honour
from policies.basis import encode_basis
from policies.vocabulary import Action, Assessment, Evidence, Reason, RequestKind, Stage, Verdict

HOST = "news.example.co.jp"


def status_of(document) -> dict[str, Status]:
    return {claim.id: claim.status for claim in document.claims}


def contradicted(document) -> dict[str, set[str]]:
    return {
        claim.id: {test.id for test in claim.tests if test.found.number} for claim in document.contradicted
    }


def where(url: str, host: str = HOST, kind: RequestKind = RequestKind.PAGE) -> dict:
    return {"method": "GET", "url": url, "host": host, "domain": registrable_domain(host), "kind": kind}


def basis(*verdicts: Verdict) -> bytes:
    return encode_basis(Assessment(verdicts=verdicts))


@pytest.fixture
def run(book, kit):
    made = book.run()
    made.open()
    kit.fill(made)
    yield made
    made.close()


def test_an_orderly_log_supports_every_claim_that_a_log_can_support(quiet, disclosed):
    statuses = status_of(disclosed(quiet))
    assert {name for name, status in statuses.items() if status is Status.NOT_TESTED} == {
        "published-policy",
        "third-party",
    }
    assert Status.CONTRADICTED not in statuses.values()


def test_a_page_permitted_against_its_own_robots_verdict_contradicts(book, run, disclosed):
    idx = run.page(f"https://{HOST}/private/b", HOST, force=True)
    run.close()
    document = disclosed(book)
    assert contradicted(document) == {"robots-txt": {"against_its_basis", "robots_disallows"}}
    claim = document.contradicted[0]
    example = claim.tests[0].examples.rows[0]
    assert example[1:2] + example[3:] == (idx, f"https://{HOST}/private/b", "robots_disallow")


def test_a_page_that_its_stored_robots_txt_forbids_contradicts_though_the_verdict_said_yes(
    book, run, disclosed
):
    honest = run.judge(f"https://{HOST}/article/1", HOST)
    run.page(f"https://{HOST}/private/c", HOST, robots=honest)
    run.close()
    assert contradicted(disclosed(book)) == {"robots-txt": {"robots_disallows"}}


def test_a_permit_under_the_robots_txt_of_another_origin_contradicts(book, run, disclosed):
    elsewhere = run.judge("https://blog.example.com/", "blog.example.com")
    run.page(f"https://{HOST}/article/9", HOST, robots=elsewhere)
    run.close()
    assert contradicted(disclosed(book)) == {"robots-txt": {"robots_of_other_origin"}}


def test_a_permit_under_a_robots_txt_older_than_declared_contradicts(book, run, kit, disclosed):
    run.clock.us += 25 * kit.hour_us
    run.page(f"https://{HOST}/article/7", HOST)
    run.close()
    assert contradicted(disclosed(book)) == {"robots-txt": {"robots_too_old"}}


def test_a_permit_without_any_robots_verdict_contradicts(book, run, kit, disclosed):
    run.entry(Stage.REQUEST, "fetch", Reason.ALLOWED, basis=basis(kit.passed("scope"), kit.passed("piracy"), kit.passed("crawl_delay")),
              **where(f"https://{HOST}/article/3"))  # fmt: skip
    run.close()
    assert contradicted(disclosed(book)) == {"robots-txt": {"against_its_basis"}}


def test_a_permit_without_a_basis_contradicts_all_that_rests_on_one(book, run, disclosed):
    run.entry(Stage.REQUEST, "fetch", Reason.ALLOWED, **where(f"https://{HOST}/article/3"))
    run.close()
    assert set(contradicted(disclosed(book))) == {"robots-txt", "crawl-delay", "piracy-lists"}


def test_a_page_asked_for_as_a_site_file_contradicts(book, run, disclosed):
    run.entry(
        Stage.REQUEST, "fetch", Reason.ALLOWED, **where(f"https://{HOST}/private/d", kind=RequestKind.ROBOTS)
    )
    run.close()
    assert contradicted(disclosed(book)) == {"robots-txt": {"disguised_page"}}


def test_an_answer_to_a_refused_request_contradicts(book, run, disclosed):
    url = f"https://{HOST}/private/e"
    refused = run.page(url, HOST)
    run.entry(Stage.OUTCOME, "received", Reason.RECEIVED, ref_idx=refused, status=200, size=1, **where(url))
    run.close()
    assert contradicted(disclosed(book)) == {
        "decided-first": {"without_permit"},
        "robots-txt": {"answered_though_refused"},
    }


def test_an_answer_without_any_decision_contradicts(book, run, disclosed):
    run.entry(Stage.OUTCOME, "received", Reason.RECEIVED, status=200, size=1, **where(f"https://{HOST}/x"))
    run.close()
    assert contradicted(disclosed(book)) == {"decided-first": {"without_permit"}}


def test_a_permit_used_twice_contradicts(book, run, disclosed):
    url = f"https://{HOST}/article/11"
    asked = run.page(url, HOST)
    run.entry(Stage.OUTCOME, "received", Reason.RECEIVED, ref_idx=asked, status=200, size=1, **where(url))
    run.close()
    document = disclosed(book)
    assert contradicted(document) == {"decided-first": {"permit_used_twice"}}


def test_an_answer_from_another_address_than_permitted_contradicts(book, run, disclosed):
    asked = run.page(f"https://{HOST}/article/12", HOST, outcome=False)
    run.entry(
        Stage.OUTCOME,
        "received",
        Reason.RECEIVED,
        ref_idx=asked,
        status=200,
        size=1,
        **where(f"https://{HOST}/other"),
    )
    run.close()
    assert contradicted(disclosed(book)) == {"decided-first": {"other_request"}}


def test_a_listed_address_that_was_visited_contradicts(book, run, disclosed):
    url = "https://manga.example.net/1"
    run.robots("manga.example.net")
    run.page(url, "manga.example.net")
    run.close()
    assert contradicted(disclosed(book)) == {"piracy-lists": {"visited_though_listed"}}


@pytest.mark.parametrize(
    ("status", "claims"),
    [(401, {"access-restrictions", "login-walls"}), (402, {"paywalls"}), (403, {"access-restrictions"}),
     (407, {"access-restrictions"}), (451, {"legal-blocks"})],
)  # fmt: skip
def test_keeping_a_page_with_a_restricting_status_contradicts(book, run, disclosed, status, claims):
    run.page(f"https://{HOST}/article/20", HOST, status=status)
    run.close()
    assert contradicted(disclosed(book)) == {claim: {"kept_status"} for claim in claims}


def keep_with(run, kit, *verdicts: Verdict) -> None:
    url = f"https://{HOST}/article/21"
    asked = run.entry(
        Stage.REQUEST, "fetch", Reason.ALLOWED, **where(url),
        basis=basis(kit.passed("scope"), kit.passed("piracy"), run.judge(url, HOST), kit.passed("crawl_delay")),
    )  # fmt: skip
    run.entry(Stage.OUTCOME, "received", Reason.RECEIVED, ref_idx=asked, status=200, size=1, **where(url))
    run.entry(
        Stage.RESPONSE,
        "keep",
        Reason.KEPT,
        ref_idx=asked,
        status=200,
        size=1,
        basis=basis(*verdicts),
        **where(url),
    )


def test_keeping_a_page_whose_basis_names_a_paywall_contradicts(book, run, kit, disclosed):
    keep_with(run, kit, kit.paywall, kit.keep_login)
    run.close()
    assert contradicted(disclosed(book)) == {"paywalls": {"against_its_basis"}}


def test_keeping_a_page_that_was_never_looked_at_for_a_paywall_contradicts(book, run, kit, disclosed):
    keep_with(run, kit, kit.keep_login)
    run.close()
    assert contradicted(disclosed(book)) == {"paywalls": {"against_its_basis"}}


def test_a_run_that_was_not_armed_contradicts(book, kit, disclosed):
    run = book.run()
    run.open(armed=False)
    kit.fill(run)
    run.close()
    assert contradicted(disclosed(book)) == {"guarded": {"unarmed_run"}}


def test_another_user_agent_than_the_declared_one_contradicts(book, kit, disclosed):
    run = book.run()
    run.open(user_agent="Mozilla/5.0 (Windows NT 10.0) Chrome/140.0")
    kit.fill(run)
    run.close()
    assert contradicted(disclosed(book)) == {"declared-identity": {"other_user_agent"}}


def test_a_run_without_a_header_contradicts_the_declared_identity(book, kit, disclosed):
    run = book.run()
    run.entry(Stage.RUN, "note", Reason.GUARD_ARMED)
    kit.fill(run)
    run.close()
    document = disclosed(book, verify=False)
    assert contradicted(document) == {"declared-identity": {"undeclared", "other_user_agent"}}
    assert {"document_absent", "unverified"} <= {missing.why for missing in document.missing}


def test_acting_under_the_policy_of_another_agent_contradicts(book, kit, disclosed):
    run = book.run(kit.agent_toml("OtherBot"))
    run.open(user_agent="Mozilla/5.0 (compatible; OtherBot/1.0; +https://crawler.kansai-corpus.jp/bot)")
    kit.fill(run)
    run.close()
    assert contradicted(disclosed(book)) == {"declared-identity": {"undeclared"}}


def test_a_policy_that_is_not_among_the_declared_files_contradicts(quiet, kit, disclosed):
    digest = kit.sha(kit.agent_toml())
    assert status_of(disclosed(quiet, published=frozenset({digest})))["published-policy"] is Status.SUPPORTED
    assert contradicted(disclosed(quiet, published=frozenset())) == {"published-policy": {"unpublished"}}


def test_collecting_before_the_declared_period_contradicts(book, kit, disclosed):
    late = kit.agent_toml().replace(b"[collection]\nstart = 2026-01-01", b"[collection]\nstart = 2026-05-29")
    run = book.run(late)
    run.open()
    kit.fill(run)
    run.close()
    assert contradicted(disclosed(book)) == {"collection-period": {"outside_period"}}


def test_both_days_of_the_declared_period_are_inside(book, kit, disclosed):
    narrow = kit.agent_toml().replace(
        b"[collection]\nstart = 2026-01-01\nongoing = true",
        b"[collection]\nstart = 2026-05-28\nend = 2026-05-28",
    )
    run = book.run(narrow)
    run.open()
    kit.fill(run)
    run.close()
    document = disclosed(book)
    assert status_of(document)["collection-period"] is Status.SUPPORTED
    assert document.facts["period_declared"].rows == (("2026-05-28", "2026-05-28"),)


def test_a_measure_that_no_policy_honours_is_not_claimed(book, kit, disclosed):
    modest = kit.agent_toml().replace(b', "piracy-lists"]', b"]")
    run = book.run(modest)
    run.open()
    kit.fill(run)
    run.close()
    assert "piracy-lists" not in status_of(disclosed(book))


def test_a_promise_is_tested_only_where_it_was_made(book, kit, disclosed):
    modest = kit.agent_toml().replace(b'["robots-txt", ', b"[")
    first = book.run(modest, name="first")
    first.open()
    kit.fill(first)
    first.page(f"https://{HOST}/private/f", HOST, force=True)
    first.close()
    second = book.run(kit.agent_toml(version=2), name="second", start_us=kit.start_us + 9 * kit.hour_us)
    second.open(user_agent="Mozilla/5.0 (compatible; KansaiBot/2.0; +https://crawler.kansai-corpus.jp/bot)")
    kit.fill(second)
    second.close()
    document = disclosed(book)
    assert status_of(document)["robots-txt"] is Status.SUPPORTED
    assert contradicted(document) == {}


def test_what_an_outsider_adds_to_the_list_of_refusals_does_not_hide_it(book, run, disclosed):
    """A hostile address is an example like any other."""
    url = f"https://{HOST}/private/'); DROP VIEW decisions;--"
    run.page(url, HOST, force=True)
    run.close()
    document = disclosed(book)
    assert {row[3] for row in document.contradicted[0].tests[0].examples.rows} == {url}


def test_a_claim_without_anything_to_examine_is_not_supported():
    assert Claim(id="x", agent="Bot", promised=True, tests=()).status is Status.NOT_TESTED


def test_a_last_good_robots_txt_may_be_older_than_a_fresh_one(book, run, kit, disclosed):
    """RFC 9309 section 2.3.1.4: an unreachable robots.txt may be replaced by a recent copy, which says so."""
    honest = run.judge(f"https://{HOST}/article/1", HOST)
    evidence = honest.evidence[0]
    stale = Verdict(
        rule="robots", action=Action.FETCH, reason=Reason.ALLOWED,
        evidence=(Evidence(source=evidence.source, line=evidence.line, text=evidence.text, sha256=evidence.sha256,
                           fetched_at=evidence.fetched_at, note="unreachable (503); the copy of yesterday is used"),),
    )  # fmt: skip
    run.clock.us += 30 * kit.hour_us
    run.page(f"https://{HOST}/article/30", HOST, robots=stale)
    run.close()
    assert contradicted(disclosed(book)) == {}


def _honouring_all(kit) -> bytes:
    names = ", ".join(f'"{honour.value}"' for honour in Honour)
    return re.sub(rb"honours = \[.*?\]", f"honours = [{names}]".encode(), kit.agent_toml(), flags=re.DOTALL)


def test_every_honoured_measure_has_its_tests_in_one_table():
    tables = [set(KEPT), set(ASKED), set(OBEYED)]
    assert set().union(*tables) == set(Honour)
    assert sum(map(len, tables)) == len(Honour)


def test_a_permit_without_the_verdict_of_a_family_contradicts_the_promise_to_honour_it(book, kit, disclosed):
    run = book.run(_honouring_all(kit))
    run.open()
    kit.fill(run)  # its bases hold no verdict on any reservation
    run.close()
    expected = {honour.value for honour, family in OBEYED.items() if family.before or family.after}
    found = contradicted(disclosed(book))
    assert set(found) == expected
    assert found["ai-txt"] == {"against_its_basis"}
    assert found["noai"] == {"kept_against_its_basis"}
    assert found["usage-preferences"] == {"against_its_basis", "kept_against_its_basis"}


@pytest.mark.parametrize("honour", list(OBEYED))
def test_a_page_kept_against_a_refusal_of_its_family_contradicts_that_promise(book, kit, disclosed, honour):
    reason = OBEYED[honour].reasons[0]
    refusal = Verdict(rule="x", action=Action.SKIP, reason=reason)
    run = book.run(_honouring_all(kit))
    run.open()
    kit.fill(run)
    run.entry(Stage.RESPONSE, "keep", Reason.KEPT, basis=basis(kit.keep, kit.keep_login, refusal), status=200,
              **where(f"https://{HOST}/article/kept"))  # fmt: skip
    run.close()
    assert "kept_against_its_basis" in contradicted(disclosed(book))[honour.value]
