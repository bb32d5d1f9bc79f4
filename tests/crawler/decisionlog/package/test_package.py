"""A package holds what the log holds, verifies without it, and whatever is missing from it or changed is found."""

from __future__ import annotations

import errno
import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from blocklists.errors import ExitCode
from crawler.decisionlog.errors import IntegrityError
from crawler.decisionlog.findings import Problem
from crawler.decisionlog.package.layout import Encoding, ManifestError, PackageError, parse_manifest
from crawler.decisionlog.package.plan import PackagePlan
from crawler.decisionlog.package.verify import verify_package
from crawler.decisionlog.package.write import write_package
from crawler.decisionlog.verify import verify_log

KINDS = [
    pytest.param({"encoding": Encoding.PARQUET}, id="parquet"),
    pytest.param({"encoding": Encoding.PARQUET, "committed": True}, id="parquet-committed"),
    pytest.param({"encoding": Encoding.PARQUET, "urls": False}, id="parquet-without-urls"),
    pytest.param({"encoding": Encoding.JSONL}, id="jsonl"),
    pytest.param({"encoding": Encoding.JSONL, "urls": False}, id="jsonl-without-urls"),
]


def texts(report):
    return [finding.text for finding in report.findings]


def problems(report):
    return {finding.problem for finding in report.findings}


@pytest.mark.parametrize("plan", KINDS)
def test_a_package_verifies_as_its_log_does(packages, plan):
    package = packages.make(**plan)
    report = packages.verify(package)
    with packages.log.reader() as reader:
        original = verify_log(reader)
    if plan.get("urls", True):
        assert report.findings == ()
        assert report.exit_code == ExitCode.DONE
        assert report.openings == original.openings
    assert [(part.root, part.records, part.heads, part.sealed) for part in report.segments] == [
        (part.root, part.records, part.heads, part.sealed) for part in original.segments
    ]
    assert (report.documents, report.registry, report.checkpoints, report.origin, report.keys) == (
        original.documents, original.registry, original.checkpoints, original.origin, original.keys
    )  # fmt: skip


@pytest.mark.parametrize("plan", KINDS)
def test_sha256sum_accepts_a_package(packages, plan):
    package = packages.make(**plan)
    result = subprocess.run(
        ["sha256sum", "--strict", "--quiet", "-c", "SHA256SUMS"],
        cwd=package, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    listed = {line[66:] for line in (package / "SHA256SUMS").read_text().splitlines()}
    there = {path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()}
    assert there - listed == {"SHA256SUMS"}


def test_the_same_log_gives_the_same_package(packages):
    one, two = packages.make(), packages.make()
    for path in one.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (two / path.relative_to(one)).read_bytes(), path


def test_nothing_is_overwritten_and_nothing_is_left_behind(packages, monkeypatch):
    package = packages.make()
    packages.count -= 1
    with pytest.raises(PackageError, match="exists already"):
        packages.make()
    monkeypatch.setattr(
        "crawler.decisionlog.package.write.readme", lambda _: (_ for _ in ()).throw(OSError(28, "full"))
    )
    with pytest.raises((PackageError, OSError)):
        packages.make()
    packages.folder = packages.folder / "nowhere"
    with pytest.raises(PackageError, match="does not exist"):
        packages.make()
    assert [path for path in package.parent.iterdir() if path.is_dir() and path != package] in (
        [], [package.with_name("sekisho.db.writers")],
    )  # fmt: skip


def test_a_file_that_cannot_be_synced_fails_the_export_whichever_it_is(packages, monkeypatch):
    real, synced = os.fsync, []

    def fsync(descriptor):
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        synced.append(name)
        if name == failing:
            raise OSError(errno.EIO, "Input/output error")
        real(descriptor)

    failing = ""
    monkeypatch.setattr(os, "fsync", fsync)
    whole = packages.make()
    written = {path.name for path in whole.rglob("*") if path.is_file()}
    assert written <= set(synced)
    shutil.rmtree(whole)
    for failing in sorted(written):
        with pytest.raises(PackageError, match="Input/output error"):
            packages.make()
        assert list(packages.folder.glob("*package-*")) == [], failing


@pytest.mark.parametrize("encoding", list(Encoding))
def test_any_missing_part_is_found_and_named(packages, encoding):
    package = packages.make(encoding)
    parts = [path.relative_to(package) for path in package.rglob("*") if path.is_file()]
    assert len(parts) > 15
    for part in parts:
        copy = packages.copy(package)
        (copy / part).unlink()
        report = packages.verify(copy)
        assert report.exit_code == ExitCode.TAMPERED, part
        assert any(part.name in text for text in texts(report)), (part, texts(report))
        shutil.rmtree(copy)


@pytest.mark.parametrize("encoding", list(Encoding))
def test_any_truncated_part_is_found_also_when_all_sums_are_made_to_fit(packages, encoding, repair):
    package = packages.make(encoding)
    # An empty file of attestations is what it was, and the text and the script are no part of the log.
    parts = [
        path.relative_to(package)
        for path in package.rglob("*")
        if path.is_file() and path.stat().st_size and path.name not in {"README.txt", "verify.py"}
    ]
    for part in parts:
        for keep in (0.5, 1):
            copy = packages.copy(package)
            size = (copy / part).stat().st_size
            os.truncate(copy / part, int(size * keep) - (keep == 1))
            assert packages.verify(copy).exit_code == ExitCode.TAMPERED, part
            if part.name not in {"manifest.json", "SHA256SUMS", "documents.jsonl"}:
                repair(copy)
                report = packages.verify(copy)
                assert report.exit_code == ExitCode.TAMPERED, (part, keep)
            shutil.rmtree(copy)


def test_a_changed_url_record_head_or_registry_entry_is_found_though_all_sums_fit(packages, repair):
    package = packages.make(Encoding.JSONL)
    changes = {
        "records": lambda row: row | {"verdict": "skip"},
        "urls": lambda row: row | {"url": "http://a.example/other"},
        "heads.jsonl": lambda row: row | {"ts_us": row["ts_us"] + 1},
        "segments.jsonl": lambda row: row | {"agent": "OtherBot"},
        "contexts.jsonl": lambda row: row | {"agent": "OtherBot"},
        "registry.jsonl": lambda row: row | {"ts_us": row["ts_us"] + 1},
        "checkpoints.jsonl": lambda row: row | {"note": row["note"].replace("\n", "\n\n", 1)},
    }
    for name, change in changes.items():
        copy = packages.copy(package)
        path = copy / name if name.endswith(".jsonl") else next((copy / name).iterdir())
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rb") as file:
            rows = [json.loads(line) for line in file]
        rows[-1] = change(rows[-1])
        with opener(path, "wb") as file:
            for row in rows:
                file.write(
                    json.dumps(row, separators=(",", ":"), sort_keys=name == "registry.jsonl").encode()
                    + b"\n"
                )
        repair(copy)
        assert packages.verify(copy).exit_code == ExitCode.TAMPERED, name


def test_records_of_a_package_that_were_swapped_or_left_out_are_found(packages, repair):
    package = packages.make(Encoding.JSONL)
    for change in (
        lambda rows: [rows[1], rows[0], *rows[2:]],
        lambda rows: rows[:4] + rows[5:],
        lambda rows: [*rows, rows[-1]],
    ):
        for folder in ("records", "urls"):
            copy = packages.copy(package)
            path = min((copy / folder).iterdir())
            lines = change(gzip.decompress(path.read_bytes()).splitlines(keepends=True))
            path.write_bytes(gzip.compress(b"".join(lines)))
            repair(copy)
            report = packages.verify(copy)
            assert report.exit_code == ExitCode.TAMPERED


def test_a_checkpoint_that_was_kept_elsewhere_shows_another_log(packages, tmp_path):
    package = packages.make()
    other = type(packages.log)(tmp_path / "other")
    (tmp_path / "other").mkdir()
    other.write()
    kept = type(packages)(other, tmp_path).kept
    assert problems(verify_package(package, known=[kept])) == {Problem.ROLLED_BACK}


def test_without_a_checkpoint_from_elsewhere_or_with_a_newer_one_nothing_is_certified(packages):
    package = packages.make()
    report = verify_package(package)
    assert report.exit_code == ExitCode.UNVERIFIABLE
    packages.log.write(run_id="run-3")
    report = packages.verify(package)
    assert report.findings == ()
    assert report.exit_code == ExitCode.UNVERIFIABLE
    assert "newer than the package" in report.unverifiable[0]


def test_a_selection_says_what_it_leaves_out_and_brings_what_it_needs(packages):
    package = packages.make(runs=frozenset({"run-2"}))
    report = packages.verify(package)
    assert report.findings == ()
    assert report.exit_code == ExitCode.DONE
    assert [part.run for part in report.segments] == ["run-2"]
    assert report.documents == 7
    assert any("a selection: 1 segments of the log are not in it (number 1)" in note for note in report.notes)
    manifest = json.loads((package / "manifest.json").read_bytes())
    assert manifest["whole"] is False


def test_a_segment_left_out_of_what_calls_itself_whole_is_found(packages, repair):
    package = packages.make(runs=frozenset({"run-2"}))
    path = package / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"whole":false', b'"whole":true'))
    repair(package)
    assert problems(packages.verify(package)) == {Problem.SEGMENT_MISSING}


def test_an_open_segment_is_exported_as_far_as_it_goes(log, packages, entry):
    writer = log.open(run_id="run-3")
    writer.append(entry(), (), wait=True).result(10)
    package = packages.make()
    assert writer.close(seal=True)
    manifest = parse_manifest((package / "manifest.json").read_bytes())
    assert [(part.size, part.sealed) for part in manifest.segments] == [(10, True), (10, True), (1, False)]
    report = verify_package(package)
    assert report.findings == ()
    assert not report.segments[2].sealed


def test_a_segment_that_is_sealed_while_it_is_exported_is_exported_as_it_was(log, packages, entry, tmp_path):
    writer = log.open(run_id="living")
    writer.append(entry(), wait=True).result(10)
    target, closed = tmp_path / "beside", []

    def seal(_):
        if not closed:
            closed.append(writer.close(seal=True))

    with log.reader() as reader:
        write_package(reader, target, PackagePlan(encoding=Encoding.JSONL), now_us=1, progress=seal)
    assert closed[0] is not None
    report = packages.verify(target)
    assert (report.findings, report.records) == ((), 21)


def test_a_log_of_the_first_format_can_be_exported(log, packages):
    log.of_format_1()
    for encoding in Encoding:
        report = verify_package(packages.make(encoding))
        assert report.findings == ()
        assert "no registry" in report.unverifiable[0]


def test_what_no_writer_writes_is_not_exported(packages):
    packages.log.unguarded().execute("UPDATE record SET host = CAST(x'ff' AS TEXT) WHERE idx = 3")
    for encoding in Encoding:
        with pytest.raises(IntegrityError, match="sekisho log verify"):
            packages.make(encoding)
    assert not list(packages.folder.glob("*package*"))


def test_a_manifest_that_leads_out_of_the_package_is_refused(packages, repair, tmp_path):
    package = packages.make()
    (tmp_path / "secret").write_text("x")
    octets = (package / "manifest.json").read_bytes()
    for path in ("../secret", "/etc/passwd", "records/../../secret", "a\\b", "./heads.jsonl"):
        with pytest.raises(ManifestError):
            parse_manifest(octets.replace(b'"heads.jsonl"', json.dumps(path).encode()))
    (package / "heads.jsonl").unlink()
    (package / "heads.jsonl").symlink_to(tmp_path / "secret")
    assert "heads.jsonl is missing" in texts(packages.verify(package))


def test_a_package_of_a_newer_format_is_refused_in_words(packages, tmp_path):
    package = packages.make()
    path = package / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b"sekisho.package/1", b"sekisho.package/9"))
    with pytest.raises(PackageError, match="use the Sekisho version that wrote it"):
        verify_package(package)
    with pytest.raises(PackageError, match="no folder"):
        verify_package(tmp_path / "nothing")


@pytest.mark.parametrize(
    "octets", [b"", b"{", b"[]", b"{}", b"null", b'{"format":"sekisho.package/1"}', b"\xff", b"[" * 100_000]
)
def test_a_manifest_that_is_none_is_a_finding_or_refused_and_never_a_crash(packages, octets):
    package = packages.make()
    (package / "manifest.json").write_bytes(octets)
    try:
        report = packages.verify(package)
    except PackageError:
        return
    assert report.exit_code == ExitCode.TAMPERED


def test_without_pyarrow_one_line_says_what_to_install(packages, monkeypatch):
    package = packages.make()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(PackageError, match=r"sekisho\[parquet\]"):
        packages.make()
    with pytest.raises(PackageError, match=r"sekisho\[parquet\]"):
        packages.verify(package)
    assert packages.verify(packages.make(Encoding.JSONL)).exit_code == ExitCode.DONE


def test_the_text_for_the_receiver_names_the_commands_and_the_log(packages):
    for encoding in Encoding:
        text = (packages.make(encoding) / "README.txt").read_text()
        assert "sha256sum --quiet -c SHA256SUMS" in text
        assert "python3 verify.py ." in text
        assert "sekisho log verify --export ." in text
        assert "sekisho-log-" in text
        assert max(map(len, text.splitlines())) <= 115
