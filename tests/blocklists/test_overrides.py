"""A wrongly listed site is freed by somebody who says why and until when, and not a day longer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from blocklists.entry import EntryAction, Match
from blocklists.errors import ListError
from blocklists.matcher import blocking_hits, overriding_hits, standing_blocks
from blocklists.overrides import load_overrides
from blocklists.snapshot import load_snapshot
from blocklists.source import load_source

OVERRIDE = """\
[[override]]
pattern = "Archive.org"
reason = "A library; reported upstream"
owner = "legal@operator.example"
expires = 2026-11-30
"""


def at(year, month, day):
    return int(datetime(year, month, day, 12, tzinfo=UTC).timestamp()) * 1_000_000


def folder(tmp_path, overrides=OVERRIDE, **lists):
    for name, rows in (lists or {"a": "archive.org\nbad.example\n", "b": "bt1.archive.org\n"}).items():
        (tmp_path / f"{name}.txt").write_text(rows, encoding="utf-8")
        (tmp_path / f"{name}.toml").write_text(
            f'id = "{name}"\ntitle = "{name}"\nfile = "{name}.txt"\nweight = "operator"\n', encoding="utf-8"
        )
    (tmp_path / "overrides.toml").write_text(overrides, encoding="utf-8")
    return tmp_path


def refusal(tmp_path, text):
    path = tmp_path / "overrides.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ListError) as caught:
        load_overrides(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_hard_case_18_an_override_frees_a_site_from_every_list_and_its_last_day_is_the_last(tmp_path):
    snapshot = load_snapshot(folder(tmp_path), now_us=at(2026, 11, 22))
    for host in ("archive.org", "bt1.archive.org", "www.archive.org"):
        hits = snapshot.matcher.match(host, now_us=at(2026, 11, 30))
        assert blocking_hits(hits) == ()
        assert standing_blocks(hits)
        (override,) = overriding_hits(hits)
        assert (override.entry.authority, override.entry.decision_ref) == (
            "legal@operator.example",
            "A library; reported upstream",
        )
        after = snapshot.matcher.match(host, now_us=at(2026, 12, 1))
        assert blocking_hits(after)
        assert overriding_hits(after) == ()
    assert blocking_hits(snapshot.matcher.match("bad.example", now_us=at(2026, 11, 30)))


def test_hard_case_18_an_override_that_ended_is_reported_with_its_owner(tmp_path):
    snapshot = load_snapshot(folder(tmp_path), now_us=at(2026, 12, 1))
    (notice,) = snapshot.notices
    assert "overrides.toml:1" in notice
    assert "legal@operator.example" in notice
    assert "2026-11-30" in notice
    assert "blocks again" in notice
    (notice,) = load_source(tmp_path / "overrides.toml").notices(at(2026, 12, 1))
    assert notice == (
        "list overrides: overrides.toml:1 the override for 'archive.org' ended on 2026-11-30, so what it lifted "
        "blocks again; legal@operator.example has to renew or remove it"
    )


def test_an_override_is_part_of_the_state_that_decisions_cite(tmp_path):
    before = load_snapshot(folder(tmp_path), now_us=0).sha256
    (tmp_path / "overrides.toml").write_text(OVERRIDE.replace("library", "archive"), encoding="utf-8")
    assert load_snapshot(tmp_path, now_us=0).sha256 != before


def test_overrides_alone_are_no_list(tmp_path):
    (tmp_path / "overrides.toml").write_text(OVERRIDE, encoding="utf-8")
    with pytest.raises(ListError):
        load_snapshot(tmp_path, now_us=0)


def test_every_reach_of_an_override(tmp_path):
    path = tmp_path / "overrides.toml"
    text = OVERRIDE + "".join(
        OVERRIDE.replace("Archive.org", pattern) + more
        for pattern, more in (
            ("https://home.example/~good/", ""),
            ("109.238.9.3", ""),
            ("blogspot.com", 'match = "host"\n'),
        )
    )
    path.write_text(text, encoding="utf-8")
    overrides = load_overrides(path)
    assert [(entry.line_no, entry.pattern, entry.match) for entry in overrides.entries] == [
        (1, "archive.org", Match.SUBTREE),
        (6, "home.example/~good/", Match.URL_PREFIX),
        (11, "109.238.9.3", Match.IP),
        (16, "blogspot.com", Match.HOST),
    ]
    assert {entry.action for entry in overrides.entries} == {EntryAction.OVERRIDE}
    assert overrides.source.source_id == "overrides"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "`override` is missing"),
        ("override = []\n", "overrides.toml:1: `override`"),
        (OVERRIDE.replace('reason = "A library; reported upstream"\n', ""), "`override.0.reason` is missing"),
        (OVERRIDE.replace('owner = "legal@operator.example"\n', ""), "`override.0.owner` is missing"),
        (OVERRIDE.replace("expires = 2026-11-30\n", ""), "`override.0.expires` is missing"),
        (OVERRIDE.replace("2026-11-30", '"never"'), "`override.0.expires`"),
        (OVERRIDE.replace("A library; reported upstream", " "), "`override.0.reason`"),
        (OVERRIDE + 'weight = "x"\n', "`override.0.weight` is not a key of this table"),
        (
            OVERRIDE.replace("Archive.org", "edu"),
            "overrides.toml:1: the override for 'edu' is a single label",
        ),
        (OVERRIDE.replace("Archive.org", "ac.jp"), "is a public suffix"),
        (OVERRIDE.replace("Archive.org", "*.archive.org"), "holds '*'"),
        (OVERRIDE.replace("Archive.org", "1.2.3.4") + 'match = "host"\n', "has the match 'host', but is ip"),
        (OVERRIDE + 'match = "ip"\n', "has the match 'ip', but is subtree"),
        ("[[override]\n", "is not valid TOML"),
    ],
)
def test_an_override_that_does_not_say_what_it_has_to_is_refused(tmp_path, text, expected):
    assert expected in refusal(tmp_path, text)


def test_a_manifest_cannot_pass_itself_off_as_an_override(tmp_path):
    (tmp_path / "a.toml").write_text(
        'id = "a"\ntitle = "a"\nfile = "a.txt"\nweight = "operator"\nformat = "overrides"\n', encoding="utf-8"
    )
    with pytest.raises(ListError, match=r"overrides need no manifest; write them into overrides\.toml"):
        load_source(tmp_path / "a.toml")
