"""A list that cannot be trusted is an error that says where and what to do, never a shorter list."""

from __future__ import annotations

from hashlib import sha256

import pytest

from blocklists.entry import Match, Weight
from blocklists.errors import ExitCode, ListError
from blocklists.source import load_manifest, load_source

MANIFEST = """\
id = "court"
title = "Blocked by court order"
file = "court.txt"
weight = "court_order"
authority = "Example District Court"
"""


def write(folder, *, manifest=MANIFEST, rows=b"bad.example\n"):
    path = folder / "court.toml"
    path.write_text(manifest, encoding="utf-8")
    if rows is not None:
        (folder / "court.txt").write_bytes(rows)
    return path


def refusal(path):
    with pytest.raises(ListError) as caught:
        load_source(path)
    assert caught.value.exit_code is ExitCode.REFUSED
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_every_entry_carries_what_a_refusal_has_to_cite(tmp_path):
    rows = b"# comment\nBad.example # note\n"
    path = write(
        tmp_path,
        manifest=MANIFEST
        + f"""
jurisdiction = "DK"
decision_ref = "BS-1/2025"
decision_date = 2025-03-01
valid_from = 2025-03-02
valid_until = 2028-03-01
url = "https://lists.example/court.txt"
licence = "CC0-1.0"
category = "streaming"
fetched_at = 2026-11-22T01:02:03.000004+09:00
sha256 = "{sha256(rows).hexdigest()}"
""",
        rows=rows,
    )
    loaded = load_source(path)
    (entry,) = loaded.entries
    assert (entry.pattern, entry.pattern_raw, entry.line_no) == ("bad.example", "Bad.example # note", 2)
    assert (entry.match, entry.weight, entry.source_id) == (Match.SUBTREE, Weight.COURT_ORDER, "court")
    assert (entry.authority, entry.jurisdiction, entry.decision_ref) == (
        "Example District Court",
        "DK",
        "BS-1/2025",
    )
    assert entry.decision_date.isoformat() == "2025-03-01"
    assert (entry.source_url, entry.category) == ("https://lists.example/court.txt", "streaming")
    assert loaded.source.sha256 == sha256(rows).hexdigest()
    assert loaded.source.fetched_at == 1_795_276_923_000_004
    assert loaded.source.licence == "CC0-1.0"


def test_scope_host_reaches_no_further_than_the_name(tmp_path):
    loaded = load_source(
        write(tmp_path, manifest=MANIFEST + 'scope = "host"\n', rows=b"bad.example\n109.238.9.3\n")
    )
    assert [entry.match for entry in loaded.entries] == [Match.HOST, Match.IP]


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (
            MANIFEST + 'colour = "red"\n',
            "court.toml:6: `colour` is not a key of this file; known keys are id, title",
        ),
        (MANIFEST.replace('weight = "court_order"\n', ""), "court.toml: `weight` is missing"),
        (MANIFEST.replace("court_order", "rumour"), "court.toml:4: `weight` Input should be 'court_order'"),
        (
            MANIFEST.replace("authority", "category"),
            "weight 'court_order' cites a decision, so `authority` must",
        ),
        (MANIFEST.replace('id = "court"', 'id = "Court List"'), "court.toml:1: `id` String should match"),
        (
            MANIFEST.replace("court.txt", "../court.txt"),
            "court.toml:3: `file` must be a relative path inside",
        ),
        (MANIFEST.replace("court.txt", "/etc/passwd"), "court.toml:3: `file` must be a relative path inside"),
        (MANIFEST + 'sha256 = "abc"\n', "court.toml:6: `sha256` String should match"),
        (
            MANIFEST + "valid_from = 2026-02-01\nvalid_until = 2026-01-01\n",
            "`valid_from` is later than `valid_until`",
        ),
        (MANIFEST + "fetched_at = 2026-01-01T00:00:00\n", "`fetched_at` Input should have timezone info"),
        (MANIFEST + 'format = "excel"\n', "court.toml:6: `format` Input should be 'plain', 'hosts'"),
        ("id = \n", "is not valid TOML: Invalid value (at line 1"),
    ],
)
def test_a_wrong_manifest_is_refused_with_file_and_key(tmp_path, manifest, expected):
    assert expected in refusal(write(tmp_path, manifest=manifest))


def test_a_manifest_that_is_not_utf8_or_not_there_is_refused(tmp_path):
    path = tmp_path / "court.toml"
    with pytest.raises(ListError, match="cannot be read"):
        load_manifest(path)
    path.write_bytes(b'id = "\xff"')
    with pytest.raises(ListError, match="is not UTF-8 at octet 6"):
        load_manifest(path)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (None, "court.txt: does not exist, but court.toml names it"),
        (b"", "court.txt: holds no entry"),
        (b"# nothing\n\n", "court.txt: holds no entry"),
        (b"com\ngithub.io\n", "court.txt: holds no entry that can be applied (2 rows are too wide)"),
        (b"ok.example\nb\xe4d.example\n", "court.txt:2: is not UTF-8 at octet 12"),
        ("ok.example\n".encode("utf-16"), "court.txt: is UTF-16 or UTF-32"),
        (b"\n <!DOCTYPE html><html>bad.example</html>", "court.txt: looks like a web page"),
        (b"\xef\xbb\xbf<html>", "court.txt: looks like a web page"),
        (b"ok.example\n||bad.example^\n", "1 of 2 rows are not understood, more than 1%"),
        (b"ok.example\n||bad.example^\n", "line 2: '||bad.example^' holds '|'"),
        (b"bad.example\rother.example\r", "1 of 1 rows are not understood"),
    ],
)
def test_a_file_that_is_no_plausible_list_is_refused(tmp_path, rows, expected):
    assert expected in refusal(write(tmp_path, rows=rows))


def test_one_bad_row_in_a_hundred_is_listed_and_two_are_refused(tmp_path):
    names = [f"s{number}.example" for number in range(99)]
    loaded = load_source(write(tmp_path, rows="\n".join([*names, "||x^"]).encode()))
    assert len(loaded.entries) == 99
    assert [(problem.line_no, problem.text) for problem in loaded.rejected] == [(100, "||x^")]
    assert "2 of 101 rows" in refusal(write(tmp_path, rows="\n".join([*names, "||x^", "||y^"]).encode()))


def test_a_changed_list_is_refused_when_its_digest_is_pinned(tmp_path):
    path = write(tmp_path, manifest=MANIFEST + f'sha256 = "{"0" * 64}"\n')
    message = refusal(path)
    assert sha256(b"bad.example\n").hexdigest() in message
    assert "court.toml pins 0000" in message


def test_a_list_that_is_a_folder_is_refused(tmp_path):
    path = write(tmp_path, rows=None)
    (tmp_path / "court.txt").mkdir()
    assert "cannot be read" in refusal(path)


def test_a_list_beyond_the_size_limit_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("blocklists.source.MAX_LIST_OCTETS", 4)
    assert "has 12 octets; a list may have 4" in refusal(write(tmp_path))
