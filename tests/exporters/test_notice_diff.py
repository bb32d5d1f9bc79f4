"""The difference between two versions of an agent: complete, symmetric, and alert to what matters."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from exporters.notice.diff import Attention, declared, diff
from policies.agents import AgentPolicy, Honour, Period, ThirdPartyCrawler, parse_agent
from policies.agents_labels import FIELDS, HONOURS, PURPOSES
from policies.vocabulary import Purpose

EXAMPLE = (Path(__file__).resolve().parents[2] / "policies" / "agents" / "examplebot.toml").read_text(
    encoding="utf-8"
)
BASE = parse_agent(EXAMPLE.encode(), "bot.toml")

words = st.text(alphabet="abc <&\u3042", min_size=1, max_size=8).map(str.strip).filter(bool)
periods = st.builds(Period, start=st.dates(date(2020, 1, 1), date(2022, 1, 1)), ongoing=st.just(True))
crawlers = st.builds(ThirdPartyCrawler, name=words, identifier=words, operator=words, period=periods)
policies = st.builds(
    lambda purposes, honours, name, age, third, version: BASE.model_copy(
        update={
            "purposes": tuple(purposes),
            "honours": tuple(honours),
            "operator": BASE.operator.model_copy(update={"name": name}),
            "robots": BASE.robots.model_copy(update={"max_age_seconds": age}),
            "third_party_crawlers": tuple(third),
            "version": version,
        }
    ),
    st.lists(st.sampled_from(Purpose), min_size=1, unique=True),
    st.lists(st.sampled_from(Honour), min_size=1, unique=True),
    words,
    st.integers(1, 86_400),
    st.lists(crawlers, max_size=3),
    st.integers(1, 9),
)


@given(policies)
def test_nothing_differs_from_itself(policy):
    assert diff(policy, policy) == ()


@given(policies, policies)
def test_applying_the_differences_gives_the_other_version(old, new):
    fields = declared(old)
    for change in diff(old, new):
        if change.after is None:
            del fields[change.field]
        else:
            fields[change.field] = change.after
    assert fields == declared(new)


@given(policies, policies)
def test_going_back_mirrors_going_forth(old, new):
    forth = {
        change.field: (change.before, change.after, change.added, change.removed) for change in diff(old, new)
    }
    back = {
        change.field: (change.after, change.before, change.removed, change.added) for change in diff(new, old)
    }
    assert forth == back


def step(**changes: object):
    return {change.field: change for change in diff(BASE, BASE.model_copy(update=changes))}


def part(name: str, **changes: object) -> dict[str, object]:
    return {name: getattr(BASE, name).model_copy(update=changes)}


def test_version_and_effective_day_are_no_differences():
    assert step(version=2, effective_from=date(2027, 1, 1)) == {}


def test_the_order_of_purposes_is_no_difference():
    old = BASE.model_copy(update={"purposes": (Purpose.SEARCH, Purpose.RESEARCH)})
    new = BASE.model_copy(update={"purposes": (Purpose.RESEARCH, Purpose.SEARCH)})
    assert diff(old, new) == ()


def test_a_new_purpose_is_highlighted_and_a_dropped_one_is_not():
    change = step(purposes=(Purpose.AI_TRAINING, Purpose.RESEARCH))["purposes"]
    assert (change.added, change.removed, change.attention) == (("research",), (), Attention.COLLECTS_MORE)
    both = BASE.model_copy(update={"purposes": (Purpose.AI_TRAINING, Purpose.RESEARCH)})
    assert diff(both, BASE)[0].attention is Attention.NONE


def test_a_dropped_promise_is_highlighted_and_a_new_one_is_not():
    fewer = BASE.model_copy(update={"honours": tuple(set(Honour) - {Honour.PAYWALLS})})
    assert diff(BASE, fewer)[0].attention is Attention.PROMISES_LESS
    assert diff(BASE, fewer)[0].removed == ("paywalls",)
    assert diff(fewer, BASE)[0].attention is Attention.NONE


@pytest.mark.parametrize(
    ("changes", "field", "attention"),
    [
        ({"token": "OtherBot"}, "token", Attention.CHECK_RULES),
        ({"user_agent": "OtherBot/2.0"}, "user_agent", Attention.CHECK_RULES),
        (part("robots", max_crawl_delay_seconds=60), "robots.max_crawl_delay_seconds", Attention.NONE),
        (part("robots", max_age_seconds=60), "robots.max_age_seconds", Attention.NONE),
        (part("collection", start=date(2024, 1, 1)), "collection.start", Attention.COLLECTS_MORE),
        (part("collection", start=date(2026, 1, 1)), "collection.start", Attention.NONE),
        (part("contact", email="new@example.com"), "contact.email", Attention.NONE),
        ({"description": None}, "description.ja", Attention.NONE),
    ],
)
def test_each_change_gets_the_attention_it_needs(changes, field, attention):
    assert step(**changes)[field].attention is attention


def test_reading_robots_later_is_highlighted():
    quick = BASE.model_copy(update=part("robots", max_age_seconds=60))
    assert diff(quick, BASE)[0].attention is Attention.PROMISES_LESS


@pytest.mark.parametrize("end", [date(2027, 1, 1), None])
def test_a_longer_period_is_highlighted(end):
    ending = BASE.model_copy(update={"collection": Period(start=BASE.collection.start, end=date(2026, 1, 1))})
    later = (
        {"start": BASE.collection.start, "end": end}
        if end
        else {"start": BASE.collection.start, "ongoing": True}
    )
    longer = BASE.model_copy(update={"collection": Period.model_validate(later)})
    forth = {change.field: change.attention for change in diff(ending, longer)}
    back = {change.attention for change in diff(longer, ending)}
    assert forth["collection.end"] is Attention.COLLECTS_MORE
    assert back == {Attention.NONE}


def test_a_further_third_party_crawler_is_highlighted_by_its_identifier():
    crawler = ThirdPartyCrawler(
        name="Open",
        identifier="OpenBot",
        operator="Foundation",
        period=Period(start=date(2025, 1, 1), ongoing=True),
    )
    change = step(third_party_crawlers=(crawler,))["third_party_crawlers.OpenBot"]
    assert change.attention is Attention.COLLECTS_MORE
    assert change.after == ("Open", "OpenBot", "Foundation", "2025-01-01 –")
    assert (change.label.en, change.label.ja) == (
        "Crawlers of third parties: OpenBot",
        "第三者のクローラ: OpenBot",
    )


def keys(model: type[BaseModel], prefix: str = "") -> set[str]:
    found = set()
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        found.add(key)
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                found |= keys(inner, f"{key}.")
    return found


def test_every_key_of_an_agent_file_has_a_label_in_both_languages():
    parts = {key for key in keys(AgentPolicy) if key.startswith("third_party_crawlers.")}
    assert keys(AgentPolicy) - parts == set(FIELDS)
    assert set(PURPOSES) == set(Purpose)
    assert set(HONOURS) == set(Honour)
    for table in (FIELDS, PURPOSES, HONOURS):
        assert all(label.en and label.ja for label in table.values())
