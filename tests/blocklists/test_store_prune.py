"""Old snapshots go, within a bound; never the one in force, the one before it, or one that somebody asks."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import pytest

from blocklists import store
from blocklists.errors import ListError, UsageError
from blocklists.index import IndexChoice
from blocklists.refresh_store import compile_lists
from blocklists.snapshot import load_snapshot
from blocklists.store_build import build_snapshot
from blocklists.store_prune import USUAL_KEEP, Fate, prune_snapshots


def build(folder, number, **more):
    folder.mkdir(exist_ok=True)
    (folder / "a.toml").write_text('id = "a"\ntitle = "a"\nfile = "a.txt"\nweight = "operator"\n')
    (folder / "a.txt").write_text(f"bad.example\nnumber{number}.example\n")
    with store.locked(folder):
        built = build_snapshot(folder, now_us=0, **more)
    os.utime(built.path, ns=(number * 10**9, number * 10**9))  # built a second apart
    return built.sha256


def prune(folder, **more):
    with store.locked(folder):
        return {one.sha256: one.fate for one in prune_snapshots(folder, **more)}


def test_the_newest_stay_with_the_one_in_force_and_the_one_before_it(tmp_path):
    folder = tmp_path / "lists"
    digests = [build(folder, number) for number in range(1, 8)]
    assert prune(folder, keep=4, trial=True) == {
        digests[6]: Fate.IN_FORCE, digests[5]: Fate.BEFORE, digests[4]: Fate.NEWEST, digests[3]: Fate.NEWEST,
        digests[2]: Fate.REMOVED, digests[1]: Fate.REMOVED, digests[0]: Fate.REMOVED,
    }  # fmt: skip
    assert store.known_snapshots(folder) == tuple(digests)  # a trial removes nothing
    prune(folder, keep=4)
    assert store.known_snapshots(folder) == tuple(digests[3:])
    # Back to an old state: it is in force now, however old.
    assert build(folder, 4) == digests[3]
    os.utime(store.snapshot_folder(folder, digests[3]), ns=(1, 1))
    assert set(prune(folder, keep=2).values()) == {Fate.IN_FORCE, Fate.BEFORE, Fate.REMOVED}
    assert set(store.known_snapshots(folder)) == {digests[3], digests[6]}
    assert load_snapshot(folder, now_us=0).sha256 == digests[3]


def test_the_one_in_force_and_the_one_before_it_can_not_be_given_up(tmp_path):
    folder = tmp_path / "lists"
    build(folder, 1)
    with pytest.raises(UsageError, match="the one in force and the one before it always stay"):
        prune(folder, keep=1)
    (folder / "CURRENT").write_text("damaged")
    with pytest.raises(ListError, match="is not the digest of a snapshot"):
        prune(folder)
    assert len(store.known_snapshots(folder)) == 1


@pytest.mark.parametrize("form", [IndexChoice.MEMORY, IndexChoice.MAPPED])
def test_a_snapshot_that_is_asked_stays_until_nobody_asks_it_any_more(tmp_path, form):
    folder = tmp_path / "lists"
    first = build(folder, 1, index=IndexChoice.MAPPED)
    asked = load_snapshot(folder, now_us=0, index=form)
    for number in (2, 3, 4):
        build(folder, number)
    assert prune(folder, keep=2)[first] is Fate.IN_USE
    assert asked.matcher.match("number1.example", now_us=0)
    del asked
    gc.collect()
    assert prune(folder, keep=2)[first] is Fate.REMOVED
    assert first not in store.known_snapshots(folder)


def test_another_process_holds_what_it_has_loaded_and_its_end_gives_it_free(tmp_path):
    folder = tmp_path / "lists"
    first = build(folder, 1)
    code = (
        "import sys, pathlib\n"
        "from blocklists.snapshot import load_snapshot\n"
        "asked = load_snapshot(pathlib.Path(sys.argv[1]), now_us=0)\n"
        "print('loaded', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"loaded\n"
        for number in (2, 3):
            build(folder, number)
        assert prune(folder, keep=2)[first] is Fate.IN_USE
        process.kill()
        process.wait()
    assert prune(folder, keep=2)[first] is Fate.REMOVED


def test_compiling_keeps_the_folder_bounded_and_a_removal_that_was_cut_short_is_finished(tmp_path):
    folder = tmp_path / "lists"
    build(folder, 1)
    for number in range(2, USUAL_KEEP + 5):
        (folder / "a.txt").write_text(f"number{number}.example\n")
        with store.locked(folder):
            compile_lists(folder, now_us=0)
    assert len(store.known_snapshots(folder)) == USUAL_KEEP
    left = folder / "snapshots" / f".removed-{'0' * 64}"
    left.mkdir()
    (left / "names").write_bytes(b"")
    with store.locked(folder):
        compile_lists(folder, now_us=0, keep=3)
    assert not left.exists()
    assert len(store.known_snapshots(folder)) == 3


def test_a_state_that_is_removed_while_a_newer_one_comes_into_force_is_no_error_for_who_begins_to_read(
    tmp_path, monkeypatch
):
    folder = tmp_path / "lists"
    old, new = build(folder, 1), build(folder, 2)
    answers = iter([old, new])
    monkeypatch.setattr("blocklists.snapshot.read_current", lambda _: next(answers))
    (store.snapshot_folder(folder, old) / "derived.json").unlink()
    assert load_snapshot(folder, now_us=0).sha256 == new


def test_half_a_snapshot_is_removed_like_a_whole_one(tmp_path):
    folder = tmp_path / "lists"
    for number in (1, 2, 3):
        build(folder, number)
    half = store.snapshot_folder(folder, "0" * 64)
    half.mkdir()
    os.utime(half, ns=(0, 0))
    assert prune(folder, keep=3)["0" * 64] is Fate.REMOVED
    assert not half.exists()
