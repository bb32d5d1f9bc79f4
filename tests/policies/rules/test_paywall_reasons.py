"""A page that is restricted for several reasons names each of them, so that no grant of one hides another."""

from policies.facts import ResponseFacts
from policies.paywall_vendors import load_paywall_vendors
from policies.rules.judged_rows import Intent
from policies.rules.paywall import judge_opened_page
from policies.signals.page_markers import open_page
from policies.vocabulary import Purpose, Reason

DECLARED = (
    '<script type="application/ld+json">{"@type": "NewsArticle", "isAccessibleForFree": false}</script>'
)
LOCKED = '<meta property="article:content_tier" content="locked">'
GATE = (
    '<script src="https://cdn.tinypass.com/api/tinypass.min.js"></script><p>Subscribe to continue reading</p>'
)
TRAINING = Intent(token="ExampleBot", purposes=frozenset({Purpose.AI_TRAINING}))


def judged(head="", body=""):
    html = f"<!doctype html><html><head>{head}</head><body><h1>t</h1>{body}</body></html>"
    facts = ResponseFacts(
        url="https://news.example.com/a",
        status=200,
        headers=(("content-type", "text/html"),),
        body=html.encode(),
    )
    vendors = load_paywall_vendors()
    return judge_opened_page(facts, open_page(facts, "ExampleBot", vendors), vendors, TRAINING)


def test_schema_and_tier_are_two_reasons():
    verdict = judged(DECLARED + LOCKED)
    assert (verdict.reason, verdict.others) == (Reason.PAYWALL_STRUCTURED_DATA, (Reason.PAYWALL_MARKUP,))


def test_one_kind_of_declaration_is_one_reason():
    assert judged(DECLARED).others == ()
    assert judged(LOCKED).reason is Reason.PAYWALL_MARKUP


def test_a_gate_behind_a_declaration_is_a_reason_of_its_own_with_its_evidence():
    alone = judged(body=GATE)
    assert alone.reason is Reason.PAYWALL_GATE
    both = judged(DECLARED, GATE)
    assert (both.reason, both.others) == (Reason.PAYWALL_STRUCTURED_DATA, (Reason.PAYWALL_GATE,))
    assert both.evidence[-1] == alone.evidence[0] or both.evidence[-1].text == alone.evidence[0].text
