"""A compiled snapshot: the same lists, the same octets; whole or refused; never an empty matcher."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from blocklists import store
from blocklists.errors import ExitCode, ListError
from blocklists.index import IndexChoice
from blocklists.snapshot import load_snapshot
from blocklists.store_build import build_snapshot
from blocklists.store_load import verify_snapshot

NOW = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()) * 1_000_000
FORMS = (IndexChoice.MEMORY, IndexChoice.MAPPED)


def put(folder, name="a", rows="bad.example\n", **more):
    folder.mkdir(exist_ok=True)
    members = {"id": name, "title": name, "file": f"{name}.txt", "weight": "operator"} | more
    text = "".join(
        f"{key} = {value}\n" if key.startswith("valid") else f'{key} = "{value}"\n'
        for key, value in members.items()
    )
    (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    (folder / f"{name}.txt").write_text(rows, encoding="utf-8")
    return folder


def build(folder, **more):
    with store.locked(folder):
        return build_snapshot(folder, now_us=NOW, **more)


def load(folder, index=IndexChoice.AUTO):
    return load_snapshot(folder, now_us=NOW, index=index)


def octets(path):
    return {
        one.relative_to(path).as_posix(): one.read_bytes()
        for one in sorted(path.rglob("*"))
        if one.is_file() and one.name != "inputs.json"
    }


def test_hard_case_29_compiled_twice_is_the_same_in_every_octet(tmp_path):
    one = put(put(tmp_path / "one", "a"), "b", "worse.example\n1.2.3.4\n", authority="A Court")
    other = put(put(tmp_path / "other", "b", "worse.example\n1.2.3.4\n", authority="A Court"), "a")
    first, second = build(one, index=IndexChoice.MAPPED), build(other, index=IndexChoice.MAPPED)
    assert first.sha256 == second.sha256
    assert octets(first.path) == octets(second.path)
    assert {
        "manifest.json",
        "derived.json",
        "entries.sqlite",
        "names",
        "index.marisa",
        "raw/a.gz",
        "raw/b.gz",
    } == set(octets(first.path))


def test_the_compiled_state_has_the_name_of_the_plain_one_and_is_named_by_its_manifest(tmp_path):
    folder = put(tmp_path / "lists")
    plain = load(folder)
    built = build(folder)
    assert built.sha256 == plain.sha256 == sha256((built.path / "manifest.json").read_bytes()).hexdigest()
    assert (folder / "CURRENT").read_text() == f"{built.sha256}\n"
    assert built.path == folder / "snapshots" / built.sha256
    loaded = load(folder)
    assert (loaded.sha256, loaded.manifest, loaded.sources) == (plain.sha256, plain.manifest, plain.sources)


def test_a_second_build_without_change_changes_nothing(tmp_path):
    folder = put(tmp_path / "lists")
    first = build(folder)
    stamp = (folder / "CURRENT").stat().st_mtime_ns
    second = build(folder)
    assert (first.is_new, second.is_new) == (True, False)
    assert (folder / "CURRENT").stat().st_mtime_ns == stamp


def test_the_raw_lists_are_kept_as_they_were_read(tmp_path):
    built = build(put(tmp_path / "lists", rows="# kept\r\nBAD.example\r\n"))
    assert gzip.decompress((built.path / "raw" / "a.gz").read_bytes()) == b"# kept\r\nBAD.example\r\n"


@pytest.mark.parametrize("form", FORMS)
def test_a_hit_cites_what_the_plain_folder_cites(tmp_path, form):
    folder = put(
        put(
            tmp_path / "lists",
            "a",
            "ok.example\nBAD.example # note\n",
            authority="A Court",
            valid_until="2030-01-01",
        ),
        "b",
        "1.2.3.4\nbad.example\n",
        scope="host",
        category="film",
    )
    plain = load(folder).matcher
    build(folder, index=IndexChoice.MAPPED)
    stored = load(folder, form).matcher
    assert len(stored) == len(plain) == 4
    for host in ("bad.example", "x.bad.example", "ok.example", "1.2.3.4", "example", "notbad.example"):
        assert stored.match(host, now_us=NOW) == plain.match(host, now_us=NOW), host
    (first, second) = stored.match("bad.example", now_us=NOW)
    assert (second.entry.authority, second.entry.line_no) == ("A Court", 2)
    assert first.entry.category == "film"
    assert stored.match("x.bad.example", now_us=2**60) == ()  # the term of list a has ended by then


def test_hard_case_20_an_ended_list_is_reported_and_a_folder_of_ended_lists_refused(tmp_path):
    folder = put(put(tmp_path / "lists", "a", valid_until="2026-11-21"), "b", "worse.example\n")
    build(folder)
    snapshot = load(folder)
    assert snapshot.matcher.match("bad.example", now_us=NOW) == ()
    assert snapshot.notices == (
        "list a: 1 entries are outside their term (always to 2026-11-21) and do not block",
    )
    put(folder, "b", "worse.example\n", valid_until="2026-11-21")
    with pytest.raises(ListError, match="every entry is outside its term"):
        build(folder)


def test_quarantined_rows_are_still_reported_after_compiling(tmp_path):
    folder = put(tmp_path / "lists", rows="bad.example\nblogspot.com\n")
    build(folder)
    (notice,) = load(folder).notices
    assert "'blogspot.com' quarantined" in notice


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "name", ["manifest.json", "derived.json", "inputs.json", "names", "index.marisa", "entries.sqlite"]
)
def test_a_missing_file_refuses_the_snapshot(tmp_path, form, name):
    folder = put(tmp_path / "lists")
    (build(folder, index=IndexChoice.MAPPED).path / name).unlink()
    if form is IndexChoice.MEMORY and name == "index.marisa":
        assert len(load(folder, form).matcher) == 1  # not needed by this form
        return
    with pytest.raises(ListError, match=rf"{name}.*(half written|cannot be read).*sekisho blocklists build"):
        load(folder, form)


@pytest.mark.parametrize("name", ["manifest.json", "names", "entries.sqlite", "raw/a.gz", "index.marisa"])
def test_a_file_that_is_not_the_one_written_refuses_the_snapshot(tmp_path, name):
    folder = put(tmp_path / "lists")
    path = build(folder, index=IndexChoice.MAPPED).path / name
    octets = path.read_bytes()
    path.write_bytes(octets[:-1] + bytes([octets[-1] ^ 1]))
    with pytest.raises(ListError, match=f"{name}: is not the"):
        load(folder, IndexChoice.MAPPED if name == "index.marisa" else IndexChoice.MEMORY)
    (complaint, *_) = verify_snapshot(folder, path.parents[name.count("/")].name)
    assert name in complaint


def test_names_without_rows_are_an_error_and_not_a_pass(tmp_path):
    folder = put(tmp_path / "lists")
    path = build(folder, index=IndexChoice.MAPPED).path
    other = put(tmp_path / "other", rows="meh.example\n")
    (path / "entries.sqlite").write_bytes((build(other).path / "entries.sqlite").read_bytes())
    matcher = load(folder, IndexChoice.MAPPED).matcher  # the same size: only asking shows it
    assert matcher.match("ok.example", now_us=NOW) == ()
    with pytest.raises(ListError, match=r"the index lists 'bad.example', the rows do not"):
        matcher.match("x.bad.example", now_us=NOW)


@pytest.mark.parametrize("text", ["", "deadbeef\n", "../../etc\n", "\xe9"])
def test_a_current_file_that_names_no_snapshot_is_refused(tmp_path, text):
    folder = put(tmp_path / "lists")
    build(folder)
    (folder / "CURRENT").write_bytes(text.encode("latin-1"))
    with pytest.raises(ListError, match=r"CURRENT: .*sekisho blocklists build"):
        load(folder)
    build(folder)
    assert len(load(folder).matcher) == 1


def test_a_current_file_that_names_a_missing_snapshot_is_refused(tmp_path):
    folder = put(tmp_path / "lists")
    (folder / "CURRENT").write_text("0" * 64)
    with pytest.raises(ListError, match="half written or removed"):
        load(folder)


def test_a_half_written_snapshot_is_ignored_with_a_message_and_cleared_by_the_next_build(tmp_path):
    folder = put(tmp_path / "lists")
    build(folder)
    left = folder / "snapshots" / ".unfinished-x"
    left.mkdir()
    (left / "manifest.json").write_text("{")
    (notice,) = load(folder).notices
    assert notice == f"{left}: a snapshot that was not finished; it is ignored and may be removed"
    put(folder, rows="bad.example\nmore.example\n")
    build(folder)
    assert not left.exists()
    assert load(folder).notices == ()


def test_a_build_that_is_killed_leaves_the_last_good_snapshot_in_force(tmp_path):
    folder = put(tmp_path / "lists")
    first = build(folder)
    put(folder, rows="bad.example\nmore.example\n")
    code = (
        "import os, sys, pathlib\n"
        "from blocklists import store, store_build\n"
        "store_build.write_rows = lambda *_: os.kill(os.getpid(), 9)\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "with store.locked(folder): store_build.build_snapshot(folder, now_us=0)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(folder)], check=False, capture_output=True)
    assert killed.returncode == -9, killed.stderr
    assert store.read_current(folder) == first.sha256
    assert store.unfinished(folder) != ()
    second = build(folder)  # the lock of the dead is free
    assert store.known_snapshots(folder) == (first.sha256, second.sha256)
    assert store.unfinished(folder) == ()


def test_a_broken_list_leaves_the_last_good_snapshot_in_force(tmp_path):
    folder = put(tmp_path / "lists")
    first = build(folder)
    put(folder, rows="<html>")
    with pytest.raises(ListError, match="looks like a web page"):
        build(folder)
    assert store.read_current(folder) == first.sha256


def test_lists_changed_after_compiling_are_refused_until_they_are_compiled(tmp_path):
    folder = put(tmp_path / "lists")
    build(folder)
    path = folder / "a.txt"
    os.utime(path, (1, 1))
    assert len(load(folder).matcher) == 1  # touched, not changed
    path.write_text("bad.example\nmore.example\n")
    with pytest.raises(ListError, match=r"a\.txt: was changed after .* run: sekisho blocklists build"):
        load(folder)
    build(folder)
    put(folder, "b", "worse.example\n")
    with pytest.raises(ListError, match=r"b\.toml: was added after"):
        load(folder)
    build(folder)
    (folder / "b.txt").unlink()
    with pytest.raises(ListError, match=r"b\.txt: was there when"):
        load(folder)


def test_a_damaged_snapshot_is_built_anew_under_its_own_name(tmp_path):
    folder = put(tmp_path / "lists")
    first = build(folder)
    (first.path / "names").write_bytes(b"")
    second = build(folder)
    assert second.sha256 == first.sha256
    assert verify_snapshot(folder, first.sha256) == ()
    assert load(folder).matcher.match("bad.example", now_us=NOW) != ()


def test_a_mapped_index_that_does_not_exist_is_not_silently_replaced(tmp_path):
    folder = put(tmp_path / "lists")
    build(folder, index=IndexChoice.MEMORY)
    with pytest.raises(ListError, match="has no mapped index; run: sekisho blocklists build --index mapped"):
        load(folder, IndexChoice.MAPPED)
    build(folder, index=IndexChoice.MAPPED)
    assert load(folder, IndexChoice.MAPPED).matcher.match("a.bad.example", now_us=NOW)


def test_two_that_change_the_lists_at_once_are_one_and_a_message(tmp_path):
    folder = put(tmp_path / "lists")
    with (
        store.locked(folder),
        pytest.raises(
            store.ListsLockedError, match=rf"lists \(process {os.getpid()}\); try again"
        ) as refused,
        store.locked(folder),
    ):
        raise AssertionError("both hold the lock")
    assert refused.value.exit_code == ExitCode.TRY_LATER
    with store.locked(folder):
        pass


def test_a_snapshot_is_found_by_the_beginning_of_its_digest(tmp_path):
    folder = put(tmp_path / "lists")
    first = build(folder).sha256
    assert store.find_snapshot(folder, first[:8]) == store.find_snapshot(folder, "CURRENT") == first
    for wrong in ("", "zz"):
        with pytest.raises(ListError, match="there are: "):
            store.find_snapshot(folder, wrong)


def test_the_manifest_says_what_was_read_and_the_derived_file_what_was_made_of_it(tmp_path):
    built = build(put(tmp_path / "lists", rows="bad.example\n"))
    derived = json.loads((built.path / "derived.json").read_text())
    assert derived["snapshot"] == built.sha256
    assert derived["entries"] == 1
    assert derived["terms"] == [["a", None, None, 1, ""]]


def test_the_process_that_builds_an_index_is_not_led_astray_by_files_of_the_working_folder(
    tmp_path, monkeypatch
):
    folder = put(tmp_path / "lists")
    for name in ("re.py", "json.py", "blocklists.py"):
        (tmp_path / name).write_text("raise SystemExit(9)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("blocklists.store_build._WORTH_A_PROCESS", 0)
    build(folder, index=IndexChoice.MAPPED)
    assert load(folder, IndexChoice.MAPPED).matcher.match("a.bad.example", now_us=NOW)
