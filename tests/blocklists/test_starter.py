"""What ships: our own rows, each with its authority, and definitions that fetch nothing by themselves."""

from __future__ import annotations

import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import blocklists
from blocklists.entry import Match, Weight
from blocklists.manifest import load_model
from blocklists.matcher import blocking_hits
from blocklists.profile import load_profile
from blocklists.refresh_sources import Definition
from blocklists.snapshot import load_snapshot
from blocklists.source import Format, Scope, load_source

HERE = Path(blocklists.__file__).parent
STARTER = HERE / "starter"
SOURCES = sorted((HERE / "sources").glob("*.toml"))
LISTS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "blocklists"
FIELDS = {
    "id",
    "title",
    "urls",
    "pinned_hosts",
    "format",
    "scope",
    "weight",
    "licence",
    "licence_accepted",
    "expires",
    "must_have",
    "must_not_have",
    "max_shrink",
    "max_growth",
    "report_url",
}


def entries():
    return [entry for path in sorted(STARTER.glob("*.toml")) for entry in load_source(path).entries]


def test_every_row_names_authority_document_date_weight_and_address():
    rows = entries()
    assert len(rows) == 27
    for entry in rows:
        assert entry.authority
        assert entry.authority != "the court that the row names"
        assert entry.jurisdiction in {"BE", "DK", "ES", "EU", "GB", "US"}
        assert entry.decision_ref
        assert entry.decision_date is not None
        assert urlsplit(entry.source_url).scheme in {"http", "https"}
        assert entry.match is Match.SUBTREE


def test_nothing_is_rejected_held_or_repeated():
    for path in STARTER.glob("*.toml"):
        loaded = load_source(path)
        assert (loaded.rejected, loaded.quarantined, loaded.duplicates) == ((), (), 0)
        assert loaded.notices(0) == ()


def test_hard_case_30_reports_without_a_finding_flag_and_decisions_block():
    matcher = load_snapshot(STARTER, now_us=0).matcher
    for entry in entries():
        hits = matcher.match(f"www.{entry.pattern}", now_us=0)
        decided = any(hit.entry.weight is Weight.COURT_ORDER for hit in hits)
        assert bool(blocking_hits(hits)) is decided
    flagged = matcher.match("1337x.to", now_us=0)
    assert {hit.entry.jurisdiction for hit in flagged} == {"EU", "US"}
    for name in ("default", "eu-gpai", "jp-principle", "strict"):
        assert blocking_hits(flagged, weights=load_profile(name)) == ()


def test_hard_case_19_one_name_keeps_the_decision_of_every_court():
    hits = load_snapshot(STARTER, now_us=0).matcher.match("thepiratebay.org", now_us=0)
    assert sorted(hit.entry.jurisdiction for hit in hits) == ["BE", "GB", "US"]
    blocking = blocking_hits(hits, weights=load_profile("eu-gpai"))
    assert [hit.entry.jurisdiction for hit in blocking] == ["BE"]


@pytest.mark.parametrize("name", ["amazon.de", "vk.com", "telegram.org", "aliexpress.com", "shopee.com"])
def test_hard_case_30_general_platforms_are_not_even_named(name):
    assert load_snapshot(STARTER, now_us=0).matcher.match(name, now_us=0) == ()


@pytest.mark.skipif(not LISTS.is_dir(), reason=f"published lists are not at {LISTS}")
def test_no_row_of_a_published_list_is_shipped():
    ours = b"\n".join(
        path.read_bytes() for path in HERE.rglob("*") if path.suffix in {".jsonl", ".txt", ".toml"}
    )
    assert len(ours) < 60_000
    for line in (LISTS / "authority-seed.jsonl").read_bytes().splitlines():
        assert line not in ours


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_source_definition_is_off_and_says_what_its_fetch_needs(path):
    definition = tomllib.loads(path.read_text(encoding="utf-8"))
    load_model(path, Definition)
    assert set(definition) == FIELDS
    assert definition["id"] == path.stem
    assert definition["licence_accepted"] is False
    assert definition["licence"]
    assert Format(definition["format"]) is not Format.OVERRIDES
    assert Scope(definition["scope"]) is Scope.SUBTREE
    assert Weight(definition["weight"]) is Weight.COMMUNITY
    assert {urlsplit(url).hostname for url in definition["urls"]} == set(definition["pinned_hosts"])
    assert all(url.startswith("https://") for url in definition["urls"])
    assert definition["must_have"]
    assert {"google.com", "wikipedia.org", "archive.org", "nasa.gov"} <= set(definition["must_not_have"])
    assert 0 < definition["max_shrink"] < definition["max_growth"] < 1
    assert 6 <= definition["expires"] <= 7 * 24
    assert path.read_text(encoding="utf-8").startswith("# Trust: ")


def test_the_well_known_lists_are_defined():
    assert len(SOURCES) >= 6
