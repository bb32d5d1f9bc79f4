"""Licences and contracts that were used, and what was withdrawn: each with its query, in both languages."""

import json
from datetime import date

import pytest

from exporters.disclosure.canonical import encode_disclosure
from exporters.disclosure.markdown import render_markdown
from exporters.disclosure.sections import write_page
from policies.basis import encode_basis
from policies.facts import RequestFacts
from policies.reapply import withdrawal
from policies.vocabulary import (
    Action,
    Assessment,
    Evidence,
    Origin,
    Purpose,
    Reason,
    RequestKind,
    Stage,
    Verdict,
)
from policies.waivers import find_waivers, lift, parse_waivers

FILE = b"""\
schema = "sekisho.waivers/1"

[[waivers]]
document = "CONTRACT-2026-014"
owner = "Rights desk"
granted_by = "Example Press <Ltd.>"
hosts = ["news.example.co.jp"]
waives = ["robots_disallow", "noai"]
purposes = ["ai-training"]
expires = 2027-03-31
"""


def lifted(reason, passed):
    origin = Origin(scheme="https", host="news.example.co.jp", port=443)
    facts = RequestFacts(
        url="https://news.example.co.jp/private/b",
        method="GET",
        user_agent="x",
        kind=RequestKind.PAGE,
        origin=origin,
    )
    refusal = Verdict(rule="robots", action=Action.SKIP, reason=reason, evidence=(Evidence(source="said"),))
    placed = find_waivers(
        parse_waivers(FILE, "w.toml"), facts, refusal, date(2026, 6, 1), {Purpose.AI_TRAINING}
    )
    return lift(refusal, placed, passed=passed)


@pytest.fixture
def waived(book, kit):
    run = book.run()
    run.open()
    kit.fill(run)
    where = {
        "kind": RequestKind.PAGE, "method": "GET", "url": "https://news.example.co.jp/private/b",
        "host": "news.example.co.jp", "domain": "example.co.jp",
    }  # fmt: skip
    grant = lifted(Reason.ROBOTS_DISALLOW, Action.FETCH)
    basis = encode_basis(
        Assessment(verdicts=(kit.passed("scope"), kit.passed("piracy"), grant, kit.passed("crawl_delay")))
    )
    asked = run.entry(Stage.REQUEST, "fetch", Reason.WAIVER_USED, basis=basis, **where)
    run.entry(
        Stage.OUTCOME,
        "received",
        Reason.RECEIVED,
        ref_idx=asked,
        status=200,
        size=10,
        body_sha256="ef" * 32,
        **where,
    )
    after = lifted(Reason.NOAI, Action.KEEP)
    run.entry(
        Stage.RESPONSE, "keep", Reason.WAIVER_USED, ref_idx=asked, status=200, size=10, body_sha256="ef" * 32,
        basis=encode_basis(Assessment(verdicts=(after, kit.keep, kit.keep_login))), **where,
    )  # fmt: skip
    run.close()
    later = book.run(name="run-2", start_us=kit.start_us + kit.hour_us)
    later.open()
    verdicts = withdrawal(
        str(run.writer.segment), asked + 2, run="run-1", kept_us=kit.start_us, body_sha256="ef" * 32,
        because=(Verdict(rule="robots", action=Action.SKIP, reason=Reason.ROBOTS_DISALLOW),),
    )  # fmt: skip
    later.entry(
        Stage.RESPONSE, "skip", Reason.WITHDRAWN, basis=encode_basis(Assessment(verdicts=verdicts)), size=0,
        body_sha256="ef" * 32, **where,
    )  # fmt: skip
    later.close()
    return book


def test_each_document_that_was_used_is_listed_with_what_it_lifted_and_where(waived, disclosed):
    (used,) = disclosed(waived).waivers
    assert (used.document, used.owner, used.expires) == ("CONTRACT-2026-014", "Rights desk", "2027-03-31")
    assert used.reasons == ("noai", "robots_disallow")
    assert used.hosts == ("news.example.co.jp",)


def test_uses_and_withdrawals_are_counted_by_query_and_a_withdrawal_is_no_refusal(waived, disclosed):
    document = disclosed(waived)
    figures = document.figures
    assert (figures["waived"].number, figures["withdrawn"].number) == (2, 1)
    assert figures["waiver_hosts"].rows[0][:3] == ("news.example.co.jp", "request", 1)
    reasons = {str(row[2]): row[3] for row in figures["reasons"].rows}
    assert reasons["withdrawn"] == 1
    # Kept is what was kept then; of the answers that were not kept the withdrawal is none.
    assert figures["discarded"].number == 3
    assert "withdrawn" in figures["withdrawn"].statement
    assert [row for row in figures["families"].rows if row[0] == "other"] == []


def test_both_languages_name_document_parties_and_query(waived, disclosed):
    document = disclosed(waived)
    for language in ("en", "ja"):
        text = render_markdown(write_page(document, language, other="x", digest="0" * 64), ("", "")).decode()
        assert "CONTRACT-2026-014" in text
        assert "Rights desk" in text
        assert "2027-03-31" in text
    members = json.loads(encode_disclosure(document))
    assert members["waivers"][0]["document"] == "CONTRACT-2026-014"


def test_without_any_use_the_section_says_zero_and_lists_nothing(quiet, disclosed):
    document = disclosed(quiet)
    assert document.waivers == ()
    assert document.facts["waived"].rows == ((0,),)
