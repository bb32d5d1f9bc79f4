"""Both verifiers refuse the same forgeries of somebody who can hash, and accept the same unusual honest packages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from needed_documents import due_run, pruned

from blocklists.errors import ExitCode
from crawler.cli import main
from crawler.decisionlog.notes import Checkpoint, parse_vkey, sign, verifier_key
from crawler.decisionlog.package.layout import Encoding
from crawler.decisionlog.package.verify import verify_package
from crawler.decisionlog.registry import KeyAdded, KeyRetired, decode, encode
from crawler.decisionlog.retention.acts import Actor
from crawler.decisionlog.tree import CompactRange
from tests.crawler.decisionlog.package.test_forged_packages import change_lines, change_rows, first, twice


@pytest.fixture
def opinions(packages, independent, tmp_path):
    """Return the exit codes of the two verifiers, given a key and what somebody kept."""
    kept = tmp_path / "kept"
    kept.write_text(str(packages.kept.note))
    known = packages.kept

    def both(package, vkey=None):
        vkey = packages.vkey if vkey is None else vkey
        report = verify_package(package, known=[known], trusted=[parse_vkey(vkey)])
        return int(report.exit_code), independent(package, vkey, kept)[0]

    return both


def forge_url(package):
    change_rows(
        first(package, "urls"),
        lambda rows: [
            rows[0] | {"url_octets": rows[0]["url"].encode().hex(), "url": "http://x.example/"},
            *rows[1:],
        ],
    )


def forge_salt(package):
    """The same octets are hashed: what the salt is longer by, the URL is shorter by."""

    def moved(rows):
        at, row = next((at, row) for at, row in enumerate(rows) if row["parent_url"] is None)
        salt = row["salt"] + b"http://".hex()
        return [*rows[:at], row | {"salt": salt, "url": row["url"].removeprefix("http://")}, *rows[at + 1 :]]

    change_rows(first(package, "urls"), moved)


def forge_line(package):
    change_lines(first(package, "records"), lambda lines: [lines[0], twice(lines[1]), *lines[2:]])


def forge_more_records(package):
    shutil.copy(first(package, "records"), package / "records" / "000009-forged.jsonl.gz")


FORGED = "records/000009-forged.jsonl.gz"


def list_forged(package, change):
    """Put a file of forged records among the others, have the manifest list it, and change that."""
    shutil.copy(first(package, "records"), package / FORGED)
    change_rows(package / FORGED, lambda rows: [{**row, "verdict": "skip"} for row in rows])
    manifest = json.loads((package / "manifest.json").read_bytes())
    manifest["files"].append({"path": FORGED, "sha256": "", "octets": 0})
    change(manifest)
    (package / "manifest.json").write_text(json.dumps(manifest))


def forge_listed_records(package):
    list_forged(package, lambda _: None)


@pytest.mark.parametrize("named", ["000009-forged.jsonl.gz", FORGED.replace("/", "/../")])
def test_both_find_records_in_place_of_true_ones_that_are_elsewhere(packages, opinions, repair, named):
    """The true ones are verified and listed nowhere, and whoever reads the folder reads the others."""
    package = packages.make(Encoding.JSONL)

    def change(manifest):
        part = manifest["segments"][0]
        shutil.move(package / part["records"], package / named.rpartition("/")[2])
        manifest["files"] = [each for each in manifest["files"] if each["path"] != part["records"]]
        part["records"] = named

    list_forged(package, change)
    repair(package)
    assert opinions(package) == (4, 4)


def forge_records_as_sums(package):
    list_forged(package, lambda manifest: manifest["segments"][0].update(sums=FORGED))


def forge_records_of_no_segment(package):
    list_forged(
        package,
        lambda manifest: manifest["segments"].append(
            manifest["segments"][0] | {"number": 9, "records": FORGED}
        ),
    )


def forge_a_part_twice(package):
    list_forged(
        package,
        lambda manifest: manifest["segments"].insert(0, manifest["segments"][0] | {"records": FORGED}),
    )


def forge_schema(package):
    change_rows(
        package / "segments.jsonl",
        lambda rows: [{**row, "schema_ver": 2, "nonce": "00" * 16} for row in rows],
    )
    change_rows(first(package, "records"), lambda rows: [{**row, "verdict": "skip"} for row in rows])


def forge_another_segment(package):
    change_rows(package / "segments.jsonl", lambda rows: [*rows, {**rows[0], "id": 9}])


def forge_a_link(package):
    target = package.with_name("elsewhere")
    shutil.move(package / "heads.jsonl", target)
    (package / "heads.jsonl").symlink_to(target)


def forge_a_pipe(package):
    path = next(path for path in (package / "documents").rglob("*") if path.is_file())
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "forge",
    [
        forge_url,
        forge_salt,
        forge_line,
        forge_more_records,
        forge_listed_records,
        forge_records_as_sums,
        forge_records_of_no_segment,
        forge_a_part_twice,
        forge_schema,
        forge_another_segment,
        forge_a_link,
        forge_a_pipe,
    ],
)
def test_both_find_what_is_shown_and_was_never_recorded(packages, opinions, repair, forge):
    package = packages.make(Encoding.JSONL)
    forge(package)
    repair(package)
    assert opinions(package) == (4, 4)


@pytest.mark.parametrize("stated", [True, False])
def test_both_find_records_that_are_given_to_a_pruned_segment(packages, opinions, repair, stated):
    due_run(packages.log)
    pruned(packages.log.url, "due")
    package = packages.make(Encoding.JSONL)
    assert opinions(package) == (6, 6)
    list_forged(
        package,
        lambda manifest: manifest["segments"][2].update(records=FORGED, pruned=stated),
    )
    repair(package)
    assert opinions(package) == (4, 4)


@pytest.mark.parametrize("path", ["../kept", "/dev/zero", "/etc/hostname"])
def test_neither_reads_what_a_manifest_names_outside(packages, opinions, path):
    package = packages.make(Encoding.JSONL)
    octets = (package / "manifest.json").read_bytes()
    (package / "manifest.json").write_bytes(octets.replace(b'"heads.jsonl"', json.dumps(path).encode()))
    assert opinions(package) == (4, 4)


def test_both_take_the_key_of_before_and_the_one_of_after_a_change(packages, opinions, capsys):
    """An auditor who was given a key years ago is not told that the log was changed."""
    before = packages.vkey
    words = ["--new-key-file", str(packages.folder / "new.key"), "--why", "yearly"]
    assert main(["log", "key", "rotate", "--log", packages.log.url, *words]) == 0
    after = capsys.readouterr().out.strip()
    package = packages.make(Encoding.JSONL)
    assert (opinions(package, before), opinions(package, after)) == ((0, 0), (0, 0))


def test_both_refuse_a_key_that_was_only_named(packages, opinions):
    origin = packages.vkey.partition("+")[0]
    named = str(verifier_key(origin, Ed25519PrivateKey.generate()))
    with Actor(packages.log.url) as actor, actor.signed(packages.log.clock.now_us()) as act:
        act.append(KeyAdded(vkey=named))
        act.registry.checkpoint()
    package = packages.make(Encoding.JSONL)
    assert (opinions(package, named), opinions(package)) == ((4, 4), (0, 0))


@pytest.mark.parametrize("retired", [False, True])
@pytest.mark.parametrize("signed", ["each", "last"])
def test_both_refuse_a_key_that_no_key_before_it_endorsed(packages, opinions, repair, retired, signed):
    """Somebody without the operator's key goes on with their log, true as far as it goes."""
    package = packages.make(Encoding.JSONL)
    bodies = (package / "registry.jsonl").read_bytes().splitlines()
    leaves = [decode(body) for body in bodies]
    thief = Ed25519PrivateKey.generate()
    origin, vkey = leaves[0].event.origin, packages.vkey
    events = [KeyAdded(vkey=str(verifier_key(origin, thief)))]
    if retired:
        events.insert(0, KeyRetired(vkey=vkey, why="lost"))
    notes = [json.loads(line) for line in (package / "checkpoints.jsonl").read_text().splitlines()]
    for event in events:
        leaves.append(encode(event, idx=len(leaves), ts_us=leaves[-1].ts_us))
        if signed == "each" or event is events[-1]:
            tree = CompactRange(leaf.hash for leaf in leaves)
            text = Checkpoint(origin=origin, size=tree.size, root=tree.root()).text
            notes.append({"note": str(sign(text, origin, thief))})
    if signed == "last":
        leaves.append(encode(KeyRetired(vkey=vkey, why="x"), idx=len(leaves), ts_us=leaves[-1].ts_us))
        tree = CompactRange(leaf.hash for leaf in leaves)
        text = Checkpoint(origin=origin, size=tree.size, root=tree.root()).text
        notes[-1] = {"note": str(sign(text, origin, thief))}
    (package / "registry.jsonl").write_bytes(b"".join(leaf.body + b"\n" for leaf in leaves))
    (package / "checkpoints.jsonl").write_text("".join(json.dumps(note) + "\n" for note in notes))
    (package / "checkpoint").write_text(notes[-1]["note"])
    manifest = json.loads((package / "manifest.json").read_bytes())
    manifest["counts"] |= {"registry": len(leaves), "checkpoints": len(notes)}
    (package / "manifest.json").write_text(json.dumps(manifest))
    repair(package)
    assert opinions(package) == (4, 4)


def test_both_say_of_a_package_without_urls_that_these_are_not_here(packages, opinions):
    package = packages.make(Encoding.JSONL, urls=False)
    assert opinions(package) == (6, 6)
    change_lines(first(package, "records"), lambda lines: lines[:-1])
    assert opinions(package) == (4, 4)


def test_a_mistyped_name_is_a_misuse_and_no_finding(packages):
    package = packages.make(Encoding.JSONL)

    def run(*words):
        return subprocess.run(
            [sys.executable, "-I", "verify.py", *words],
            cwd=package,
            capture_output=True,
            text=True,
            check=False,
        )

    for words in ((), ("nowhere",), (".", "nokey"), (".", packages.vkey, "nofile")):
        wrong = run(*words)
        assert wrong.returncode == ExitCode.USAGE
        assert "verify.py FOLDER_OR_DATABASE" in wrong.stdout
    assert run(".", packages.vkey[:-5] + "AAAA=").returncode == ExitCode.TAMPERED
