"""A folder of lists is one named state: the same octets, the same name; anything missing, no state at all."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from blocklists.errors import ListError
from blocklists.snapshot import load_snapshot

NOW = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()) * 1_000_000


def put(folder, name, rows="bad.example\n", **more):
    folder.mkdir(exist_ok=True)
    members = {"id": name, "title": name, "file": f"{name}.txt", "weight": "operator"} | more
    text = "".join(
        f"{key} = {value}\n" if key.startswith("valid") else f'{key} = "{value}"\n'
        for key, value in members.items()
    )
    (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    (folder / f"{name}.txt").write_text(rows, encoding="utf-8")
    return folder


def load(folder):
    return load_snapshot(folder, now_us=NOW)


def test_hard_case_29_the_same_octets_have_the_same_name(tmp_path):
    one = put(put(tmp_path / "one", "a"), "b", "worse.example\n")
    other = put(put(tmp_path / "other", "b", "worse.example\n"), "a")
    first, second = load(one), load(other)
    assert first.sha256 == second.sha256 == sha256(first.manifest).hexdigest()
    assert first.manifest == second.manifest
    assert load_snapshot(one, now_us=0).sha256 == first.sha256


@pytest.mark.parametrize("change", [{"rows": "other.example\n"}, {"authority": "A Court"}, {"scope": "host"}])
def test_any_change_has_another_name(tmp_path, change):
    before = load(put(tmp_path / "lists", "a")).sha256
    assert load(put(tmp_path / "lists", "a", **change)).sha256 != before


def test_the_manifest_tells_what_was_read_and_with_what(tmp_path):
    members = json.loads(load(put(tmp_path / "lists", "a", "bad.example\nBAD.example\ncom\n")).manifest)
    assert members["schema"] == "sekisho.blocklists/1"
    assert members["public_suffix_list"].startswith("sha256:")
    (source,) = members["sources"]
    assert source["sha256"] == sha256(b"bad.example\nBAD.example\ncom\n").hexdigest()
    assert (source["entries"], source["duplicates"], source["quarantined"], source["rejected"]) == (
        1,
        1,
        1,
        0,
    )
    assert source["parser"].startswith("plain/")
    assert source["declared"]["weight"] == "operator"


def test_every_list_of_the_folder_is_honoured(tmp_path):
    snapshot = load(put(put(tmp_path / "lists", "a"), "b", "bad.example\nworse.example\n"))
    assert [source.source_id for source in snapshot.sources] == ["a", "b"]
    assert [hit.entry.source_id for hit in snapshot.matcher.match("bad.example", now_us=NOW)] == ["a", "b"]
    assert len(snapshot.matcher.match("x.worse.example", now_us=NOW)) == 1


def test_hard_case_5_quarantined_rows_are_reported_and_not_applied(tmp_path):
    snapshot = load(put(tmp_path / "lists", "a", "bad.example\nblogspot.com\n"))
    assert snapshot.matcher.match("foo.blogspot.com", now_us=NOW) == ()
    (notice,) = snapshot.notices
    assert notice.startswith("list a: a.txt:2 'blogspot.com' quarantined: is a public suffix")


def test_hard_case_20_a_list_past_its_term_is_off_and_reported(tmp_path):
    folder = put(put(tmp_path / "lists", "a", valid_until="2026-11-21"), "b", "worse.example\n")
    snapshot = load(folder)
    assert snapshot.matcher.match("bad.example", now_us=NOW) == ()
    assert snapshot.notices == (
        "list a: 1 entries are outside their term (always to 2026-11-21) and do not block",
    )


def test_a_folder_whose_every_list_is_past_its_term_is_refused(tmp_path):
    with pytest.raises(ListError, match="every entry is outside its term"):
        load(put(tmp_path / "lists", "a", valid_until="2026-11-21"))


def test_a_missing_or_empty_folder_is_refused_and_told_how_to_be_made(tmp_path):
    with pytest.raises(ListError, match=r"does not exist; create it with one manifest \(NAME.toml\)"):
        load(tmp_path / "nowhere")
    with pytest.raises(ListError, match=r"holds no manifest; create it with one manifest"):
        load(tmp_path)


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "lists").write_text("bad.example\n", encoding="utf-8")
    with pytest.raises(ListError, match="cannot be read"):
        load(tmp_path / "lists")


def test_two_lists_of_one_id_are_refused(tmp_path):
    folder = put(put(tmp_path / "lists", "a"), "b", id="a")
    with pytest.raises(ListError, match=r"two manifests have the id 'a' \(lists a.txt and b.txt\)"):
        load(folder)


def test_a_list_without_a_manifest_is_refused_instead_of_ignored(tmp_path):
    folder = put(tmp_path / "lists", "a")
    for harmless in ("README.md", "LICENSE", ".gitignore", "sha256sums.txt"):
        (folder / harmless).write_text("x", encoding="utf-8")
    load(folder)
    (folder / "forgotten.txt").write_text("worse.example\n", encoding="utf-8")
    with pytest.raises(ListError, match=r"forgotten.txt: no manifest names this file"):
        load(folder)


def test_one_broken_list_refuses_the_whole_folder(tmp_path):
    folder = put(put(tmp_path / "lists", "a"), "b", "<html>")
    with pytest.raises(ListError, match="looks like a web page"):
        load(folder)
