from __future__ import annotations

import pytest

from policies.facts import ResponseFacts
from policies.signals.access_statement import Access, Carrier
from policies.signals.content_tier import parse_content_tier, read_tier
from policies.signals.page_markers import open_page
from policies.signals.schema_org import parse_free_access


def opened(html):
    headers = (("content-type", "text/html; charset=utf-8"),)
    page = open_page(ResponseFacts(url="https://e.example/", status=200, headers=headers, body=html.encode()))
    assert page is not None
    return page


def says(html):
    return [statement.access for statement in parse_free_access(opened(html))]


def script(json):
    return f'<script type="application/ld+json">{json}</script>'


FALSE = '<meta itemprop="isAccessibleForFree" content="false">'
ARTICLE = 'itemscope itemtype="https://schema.org/NewsArticle"'


@pytest.mark.parametrize(
    "relation",
    ["itemListElement", "citation", "mentions", "about", "isBasedOn", "subjectOf", "schema:itemReviewed"],
)
def test_another_work_is_not_the_page(relation):
    assert says(script(f'{{"{relation}": [{{"x": {{"isAccessibleForFree": false}}}}]}}')) == []
    assert says(f'<div {ARTICLE}><div itemprop="{relation}" {ARTICLE}>{FALSE}</div></div>') == []


@pytest.mark.parametrize(
    "relation", ["hasPart", "mainEntity", "video", "mainEntityOfPage", "isPartOf", "notAProperty"]
)
def test_a_part_of_the_page_and_an_unknown_relation_count(relation):
    assert says(script(f'{{"{relation}": [{{"isAccessibleForFree": false}}]}}')) == [Access.RESTRICTED]
    assert says(f'<div {ARTICLE}><div itemprop="{relation}" {ARTICLE}>{FALSE}</div></div>') == [
        Access.RESTRICTED
    ]


@pytest.mark.parametrize("kind", ["Museum", "MusicEvent", "http://schema.org/Place", "Festival"])
def test_an_entrance_fee_is_not_the_pages(kind):
    assert says(script(f'{{"@type": "{kind}", "isAccessibleForFree": false}}')) == []
    assert says(f'<div itemscope itemtype="https://schema.org/{kind}">{FALSE}</div>') == []
    both = script(f'{{"@type": ["{kind}", "NewsArticle"], "isAccessibleForFree": false}}')
    assert says(both) == [Access.RESTRICTED]


def test_an_item_ends_with_its_element():
    assert says(f"<div {ARTICLE}><p>x</div>{FALSE}") == [Access.RESTRICTED]
    statement = parse_free_access(opened(f"<div {ARTICLE}></div>{FALSE}"))[0]
    assert statement.note == "a declaration outside every item"
    assert says(f"<aside><div {ARTICLE}>{FALSE}</div></aside><div {ARTICLE}>{FALSE}</div>") == [
        Access.RESTRICTED
    ]


def test_unclosed_list_items_do_not_nest():
    teaser = '<ul><li itemscope itemtype="https://schema.org/ItemList"><li itemscope itemtype="https://schema.org/WebPage">'
    assert says(teaser + FALSE) == [Access.RESTRICTED]


def test_the_line_is_that_of_the_deciding_key_even_after_a_related_one():
    html = script('{"itemListElement": [\n{"isAccessibleForFree": false}],\n"isAccessibleForFree":\nfalse}')
    found = parse_free_access(opened("\n" + html))
    assert [(statement.line, statement.carrier) for statement in found] == [(4, Carrier.JSON_LD)]
    assert found[0].text == '"isAccessibleForFree":'


def test_one_of_several_values_restricts():
    assert says(script('{"isAccessibleForFree": [true, "False"]}')) == [Access.RESTRICTED]
    assert says(
        script('{"isAccessibleForFree": {"@type": "Boolean", "@id": "http://schema.org/False"}}')
    ) == [Access.RESTRICTED]
    assert says(script('{"isAccessibleForFree": {"price": 3}}')) == [Access.UNREADABLE]
    assert says(script('{"isAccessibleForFree": [[[[[[true]]]]]]}')) == [Access.UNREADABLE]
    assert says(script('{"isAccessibleForFree": []}')) == []


def test_numbers_of_a_million_digits_are_no_work():
    assert says(script('{"a": ' + "9" * 900_000 + ', "isAccessibleForFree": 0}')) == [Access.RESTRICTED]


def test_a_thousand_statements_are_reported_in_part():
    many = ",".join(['{"isAccessibleForFree": false}'] * 1000)
    assert len(says(script(f"[{many}]"))) == 20


@pytest.mark.parametrize(
    ("value", "access"),
    [
        ("free", Access.FREE),
        (" Locked ", Access.RESTRICTED),
        ("premium", Access.RESTRICTED),
        ("paid", Access.RESTRICTED),
        ("METERED", Access.METERED),
        ("bronze", Access.UNREADABLE),
        ("", None),
    ],
)
def test_tiers_are_read(value, access):
    assert read_tier(value) is access


def test_only_the_tier_property_itself_counts():
    assert parse_content_tier(opened('<meta name="my_content_tier" content="locked">')) == ()
    assert parse_content_tier(opened('<p data-x="article:content_tier">locked</p>')) == ()
    assert len(parse_content_tier(opened('<meta name="content_tier" content="locked">'))) == 1
