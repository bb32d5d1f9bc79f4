"""A profile says of every weight what it does and why, and decides accordingly."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from blocklists.entry import BLOCKING, Entry, Match, Source, Weight
from blocklists.errors import ListError
from blocklists.profile import Effect, load_profile, parse_profile, profile_names


def entry(weight, jurisdiction=""):
    return Entry(
        pattern_raw="bad.example",
        pattern="bad.example",
        match=Match.SUBTREE,
        source_id="a",
        line_no=1,
        weight=weight,
        jurisdiction=jurisdiction,
    )


def source(reviewed_on=None):
    return Source(source_id="a", title="a", sha256="0" * 64, weight=Weight.OPERATOR, reviewed_on=reviewed_on)


def blocks(name, weight, jurisdiction="", *, reviewed=False):
    return load_profile(name).blocks(
        entry(weight, jurisdiction), source(date(2026, 1, 1) if reviewed else None)
    )


def test_the_profiles_that_ship_say_something_of_every_weight():
    assert profile_names() == ("default", "eu-gpai", "jp-principle", "strict")
    for name in profile_names():
        profile = load_profile(name)
        assert profile.name == name
        assert set(profile.effects) == set(profile.reasons) == set(Weight)
        assert all(len(why) > 15 for why in profile.reasons.values())
        assert len(profile.sha256) == 64


def test_the_default_profile_is_what_happens_without_one():
    profile = load_profile("default")
    assert {weight for weight in Weight if profile.blocks(entry(weight), source())} == BLOCKING


@pytest.mark.parametrize(
    ("weight", "jurisdiction", "expected"),
    [
        (Weight.COURT_ORDER, "DK", True),
        (Weight.COURT_ORDER, "dk", True),
        (Weight.COURT_ORDER, "EU", True),
        (Weight.COURT_ORDER, "NO", True),
        (Weight.COURT_ORDER, "GB", False),
        (Weight.COURT_ORDER, "US", False),
        (Weight.COURT_ORDER, "", True),
        (Weight.AUTHORITY_DECISION, "IT", True),
        (Weight.AUTHORITY_DECISION, "RU", False),
        (Weight.RIGHTS_HOLDER_LIST, "DK", False),
        (Weight.COMMUNITY, "", False),
        (Weight.INDUSTRY_BODY_RECOMMENDATION, "DE", False),
        (Weight.GOVERNMENT_REPORT_NO_FINDING, "EU", False),
        (Weight.OPERATOR, "", True),
        (Weight.OPERATOR, "US", True),
    ],
)
def test_eu_gpai_blocks_on_findings_of_the_eu_and_the_eea(weight, jurisdiction, expected):
    assert blocks("eu-gpai", weight, jurisdiction) is expected
    assert blocks("eu-gpai", weight, jurisdiction, reviewed=True) is expected


def test_jp_principle_adds_rights_holders_and_what_was_reviewed():
    assert blocks("jp-principle", Weight.COURT_ORDER, "US")
    assert blocks("jp-principle", Weight.AUTHORITY_DECISION)
    assert blocks("jp-principle", Weight.RIGHTS_HOLDER_LIST)
    assert not blocks("jp-principle", Weight.COMMUNITY)
    assert blocks("jp-principle", Weight.COMMUNITY, reviewed=True)
    assert not blocks("jp-principle", Weight.GOVERNMENT_REPORT_NO_FINDING, reviewed=True)


def test_strict_asks_for_a_review_of_government_reports_alone():
    for weight in Weight:
        assert blocks("strict", weight, "US") is (weight is not Weight.GOVERNMENT_REPORT_NO_FINDING)
        assert blocks("strict", weight, "US", reviewed=True)


@pytest.mark.parametrize("name", ["default", "eu-gpai", "jp-principle"])
def test_hard_case_30_a_government_report_only_flags(name):
    assert not blocks(name, Weight.GOVERNMENT_REPORT_NO_FINDING, "US", reviewed=True)


def test_why_names_the_profile_its_sentence_and_what_held_the_entry_back():
    profile = load_profile("eu-gpai")
    assert profile.why(entry(Weight.COMMUNITY), source()).startswith(
        "profile eu-gpai: community only flags: "
    )
    assert profile.why(entry(Weight.COURT_ORDER, "GB"), source()).endswith(
        "(jurisdiction GB is outside the profile, so it only flags)"
    )
    japan = load_profile("jp-principle")
    assert japan.why(entry(Weight.COMMUNITY), source()).endswith(
        "(the list has not been reviewed, so it only flags)"
    )
    assert "(" not in japan.why(entry(Weight.OPERATOR), source())


def test_an_unknown_profile_is_refused_with_the_known_ones():
    with pytest.raises(ListError, match="no profile is named 'eu'; known are default, eu-gpai, jp-principle"):
        load_profile("eu")
    with pytest.raises(ListError, match=r"no profile is named '\.\./default'"):
        load_profile("../default")
    with pytest.raises(ListError, match="cannot be read"):
        load_profile("nowhere/own.toml")


def test_an_operator_may_bring_a_profile_and_every_weight_has_to_be_in_it(tmp_path):
    path = tmp_path / "own.toml"
    text = 'title = "Ours"\n' + "".join(
        f'[weights.{weight}]\neffect = "flag"\nwhy = "We only look at it."\n' for weight in Weight
    )
    path.write_text(text, encoding="utf-8")
    profile = load_profile(str(path))
    assert profile.name == "own"
    assert set(profile.effects.values()) == {Effect.FLAG}
    without = text.partition("[weights.operator]")[0].encode()
    with pytest.raises(
        ListError, match="says nothing of operator; every weight needs an effect and a reason"
    ):
        parse_profile("own", Path("own.toml"), without)
    with pytest.raises(ListError, match=r"own.toml:\d+: `weights.operator.effect` Input should be"):
        parse_profile("own", Path("own.toml"), text.replace('"flag"', '"perhaps"').encode())
