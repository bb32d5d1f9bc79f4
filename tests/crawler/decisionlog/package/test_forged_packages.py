"""A package that somebody forged who can hash as well as we can: every file fits manifest and sums again.

What is shown of a log must be what was verified: no file beside it, no second value, nothing only stated.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
from errno import EACCES
from pathlib import Path

import pytest

from blocklists.errors import ExitCode
from crawler.cli import main
from crawler.decisionlog.findings import Problem
from crawler.decisionlog.notes import parse_vkey
from crawler.decisionlog.package.layout import Encoding
from crawler.decisionlog.package.verify import verify_package


def change_lines(path, change):
    """Change the octets of the lines of a file, gzipped or not."""
    octets = path.read_bytes()
    zipped = path.suffix == ".gz"
    lines = (gzip.decompress(octets) if zipped else octets).splitlines(keepends=True)
    octets = b"".join(change(lines))
    path.write_bytes(gzip.compress(octets) if zipped else octets)


def change_rows(path, change):
    def changed(lines):
        rows = [json.loads(line) for line in lines]
        rows = change(rows) or rows
        return [json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows]

    change_lines(path, changed)


def change_manifest(package, change, repair):
    path = package / "manifest.json"
    manifest = json.loads(path.read_bytes())
    change(manifest)
    path.write_bytes(json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
    repair(package)


def problems(report):
    return {finding.problem for finding in report.findings}


def first(package, folder):
    return min((package / folder).iterdir())


# What a reader sees


@pytest.mark.parametrize("encoding", list(Encoding))
def test_a_url_to_read_beside_the_octets_that_verify_is_found(packages, repair, encoding):
    package = packages.make(encoding)
    path = first(package, "urls")

    def forge(row):
        return row | {"url_octets": row["url"].encode().hex(), "url": "http://forged.example/"}

    if encoding is Encoding.JSONL:
        change_rows(path, lambda rows: [forge(rows[0]), *rows[1:]])
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pq.read_table(path)
        columns = table.to_pydict()
        columns["url_octets"][0], columns["url"][0] = columns["url"][0].encode(), "http://forged.example/"
        pq.write_table(pa.table(columns, schema=table.schema), path)
    repair(package)
    report = packages.verify(package)
    assert report.exit_code == ExitCode.TAMPERED
    assert any("as a text and as octets" in finding.text for finding in report.findings)


def twice(line):
    return line.replace(b"{", b'{"verdict":"skip",', 1)


def more(line):
    return line.replace(b"{", b'{"judgement":"skip",', 1)


def upper(line):
    row = json.loads(line)
    row["basis_sha256"] = row["basis_sha256"].upper()
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"


@pytest.mark.parametrize("forge", [twice, more, upper])
def test_a_line_that_another_reader_understands_otherwise_is_found(packages, repair, forge):
    package = packages.make(Encoding.JSONL)
    change_lines(first(package, "records"), lambda lines: [lines[0], forge(lines[1]), *lines[2:]])
    repair(package)
    assert Problem.FILE_DAMAGED in problems(packages.verify(package))


@pytest.mark.parametrize(
    "name", ["segments.jsonl", "heads.jsonl", "contexts.jsonl", "documents.jsonl", "checkpoints.jsonl"]
)
def test_a_member_that_nobody_verifies_is_found_in_every_file(packages, repair, name):
    package = packages.make(Encoding.JSONL)
    change_lines(package / name, lambda lines: [more(lines[0]), *lines[1:]])
    repair(package)
    assert Problem.FILE_DAMAGED in problems(packages.verify(package))


@pytest.mark.parametrize("encoding", list(Encoding))
@pytest.mark.parametrize("folder", ["records", "urls", "sums", "documents/00"])
def test_a_file_that_nothing_lists_is_found_where_whole_folders_are_read(packages, encoding, folder):
    package = packages.make(encoding)
    (package / folder).mkdir(exist_ok=True)
    shutil.copy(first(package, "records"), package / folder / f"000009-forged{encoding.suffix}")
    report = packages.verify(package)
    assert problems(report) == {Problem.FILE_OUTSIDE}
    assert "000009-forged" in report.findings[0].text


def test_a_file_that_the_manifest_lists_and_no_segment_has_is_found(packages, repair):
    package = packages.make(Encoding.JSONL)
    shutil.copy(first(package, "records"), package / "records" / "000009-forged.jsonl.gz")
    part = {"path": "records/000009-forged.jsonl.gz", "sha256": "", "octets": 0}
    change_manifest(package, lambda manifest: manifest["files"].append(part), repair)
    assert problems(packages.verify(package)) == {Problem.FILE_OUTSIDE}


def test_what_a_receiver_puts_beside_the_data_is_told_and_does_no_harm(packages):
    package = packages.make(Encoding.JSONL)
    (package / "received.eml").write_text("on Monday")
    report = packages.verify(package)
    assert report.exit_code == ExitCode.DONE
    assert "no part of the package: received.eml" in report.notes


@pytest.mark.parametrize("encoding", list(Encoding))
def test_a_script_or_a_text_for_the_receiver_that_is_not_ours_is_told(packages, repair, encoding):
    """A script that says of everything that it is intact fits its digest as well as ours does."""
    package = packages.make(encoding)
    assert not any("read it before" in note for note in packages.verify(package).notes)
    (package / "verify.py").write_text("print('intact')\n")
    (package / "README.txt").write_text("All is well.\n")
    repair(package)
    report = packages.verify(package)
    assert report.findings == ()
    told = [note for note in report.notes if "read it before you trust it" in note]
    assert [note.partition(" ")[0] for note in told] == ["verify.py", "README.txt"]


# What a manifest states

COUNTS = ("segments", "records", "openings", "heads", "contexts", "documents", "registry", "checkpoints")


@pytest.mark.parametrize("name", COUNTS)
def test_a_count_that_a_manifest_only_states_is_found(packages, repair, name):
    package = packages.make(Encoding.JSONL)

    def more_of_it(manifest):
        manifest["counts"][name] += 1

    change_manifest(package, more_of_it, repair)
    report = packages.verify(package)
    assert report.exit_code == ExitCode.TAMPERED
    assert any(name in finding.text or name == "registry" for finding in report.findings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("run", "other"),
        ("schema", 2),
        ("openings", 3),
        ("sealed", False),
        ("size", 9),
        ("size", 2**53 - 1),
        ("number", 7),
    ],
)
def test_what_a_manifest_states_of_a_segment_is_compared_with_it(packages, repair, name, value):
    package = packages.make(Encoding.JSONL)
    change_manifest(package, lambda manifest: manifest["segments"][1].update({name: value}), repair)
    assert packages.verify(package).exit_code == ExitCode.TAMPERED


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.update(made_us=2**60),
        lambda manifest: manifest.update(made_us=10**400),
        lambda manifest: manifest.update(committed=False),
        lambda manifest: manifest.update(urls=False),
        lambda manifest: manifest["segments"].append(manifest["segments"][1]),
        lambda manifest: manifest["segments"].reverse(),
        lambda manifest: manifest["segments"][0].update(pruned=True),
        lambda manifest: manifest["files"].append(manifest["files"][0]),
        lambda manifest: manifest["files"][0].update(path="/dev/zero"),
        lambda manifest: manifest["files"][0].update(path="records/../../x"),
        lambda manifest: manifest["files"][0].update(octets=2**70),
        lambda manifest: manifest["files"][0].update(sha256=""),
        lambda manifest: manifest["files"][0].update(sha256="A" * 64),
    ],
)
def test_a_manifest_that_no_writer_writes_is_a_finding_and_no_crash(packages, change):
    package = packages.make(Encoding.JSONL)
    change_manifest(package, change, lambda _: None)
    report = packages.verify(package)
    assert problems(report) == {Problem.FILE_DAMAGED}
    assert "manifest.json" in report.findings[0].text


@pytest.mark.parametrize("digest", ["", "a b", "A" * 64, "0" * 63, 7])
def test_a_document_without_a_digest_is_a_finding_and_no_crash(packages, digest):
    package = packages.make(Encoding.JSONL)
    change_rows(package / "documents.jsonl", lambda rows: [rows[0] | {"sha256": digest}, *rows[1:]])
    report = packages.verify(package)
    assert Problem.FILE_DAMAGED in problems(report)
    assert any("SHA256SUMS" in finding.text for finding in report.findings)


LONG = "x" * 300  # letters; no file system takes a name of so many


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest["files"][0].update(path=LONG),
        lambda manifest: manifest["segments"][0].update(records=f"records/{LONG}.jsonl.gz"),
        lambda manifest: manifest["segments"][0].update(urls=LONG),
        lambda manifest: manifest["segments"][0].update(sums=f"{LONG}/x"),
    ],
)
@pytest.mark.parametrize("encoding", list(Encoding))
def test_a_path_that_no_file_can_have_is_a_finding_and_no_crash(packages, encoding, change):
    package = packages.make(encoding)
    change_manifest(package, change, lambda _: None)
    report = packages.verify(package)
    assert Problem.FILE_DAMAGED in problems(report)
    assert any(LONG in finding.text for finding in report.findings)


def test_a_name_that_no_folder_can_have_is_answered_in_one_line(packages, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    export = ["log", "export", "--log", packages.log.url, "--package"]
    for words in (["log", "verify", "--export", LONG], [*export, LONG], [*export, f"{LONG}/new"]):
        assert main(words) == ExitCode.REFUSED
        err = capsys.readouterr().err
        assert (err.count("\n"), "File name too long" in err) == (1, True)


@pytest.mark.parametrize("inside", ["", "records", "documents", "documents/"])
def test_a_folder_that_may_not_be_listed_is_a_finding_and_no_crash(packages, monkeypatch, inside):
    """The tests may run as root, who may list every folder."""
    package = packages.make(Encoding.JSONL)
    closed = package / inside if inside[-1:] != "/" else min((package / inside).iterdir())
    real = Path.iterdir

    def iterdir(folder):
        if folder == closed:
            raise PermissionError(EACCES, "Permission denied", str(folder))
        return real(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    report = packages.verify(package)
    assert problems(report) == {Problem.FILE_DAMAGED}
    assert "cannot be listed" in report.findings[0].text


def test_a_folder_that_may_not_be_entered_is_told_in_one_line_or_found(packages, monkeypatch, capsys):
    package = packages.make(Encoding.JSONL)
    real = {name: getattr(Path, name) for name in ("stat", "lstat")}

    def closed(above):
        for name, call in real.items():

            def entered(path, *args, call=call, **options):
                if above in path.parents:
                    raise PermissionError(EACCES, "Permission denied", str(path))
                return call(path, *args, **options)

            monkeypatch.setattr(Path, name, entered)

    closed(package / "records")
    report = packages.verify(package)
    assert Problem.FILE_DAMAGED in problems(report)
    closed(package / "documents")
    assert packages.verify(package).exit_code == ExitCode.TAMPERED
    closed(package.parent)
    assert main(["log", "verify", "--export", str(package)]) == ExitCode.REFUSED
    assert "Permission denied" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", [b'"run":"\\ud800"', b'"run":NaN', b'"run":1e999', b'"run":' + b"[" * 100_000]
)
def test_a_manifest_with_json_that_few_can_write_is_a_finding_and_no_crash(packages, text):
    package = packages.make(Encoding.JSONL)
    path = package / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"run":"run-1"', text))
    assert problems(packages.verify(package)) == {Problem.FILE_DAMAGED}


def test_the_same_segment_or_context_twice_is_found_whichever_is_the_true_one(packages, repair):
    for name in ("segments.jsonl", "contexts.jsonl"):
        for place in (0, 1):
            package = packages.make(Encoding.JSONL)

            def forge(rows, place=place):
                rows.insert(place, {**rows[0], "agent": "OtherBot"})

            change_rows(package / name, forge)
            repair(package)
            assert Problem.FILE_DAMAGED in problems(packages.verify(package))


def test_segments_and_heads_of_no_segment_in_the_package_are_found(packages, repair):
    for name, member in (("segments.jsonl", "id"), ("heads.jsonl", "segment_id")):
        package = packages.make(Encoding.JSONL)
        change_rows(package / name, lambda rows, member=member: [*rows, {**rows[0], member: 9}])
        repair(package)
        report = packages.verify(package)
        assert any("segment number 9" in finding.text for finding in report.findings)


def test_a_package_that_is_given_the_older_format_does_not_pass_for_the_one_that_was_signed(packages, repair):
    """Without a registry nothing would be compared with the key and the checkpoint that somebody has."""
    package = packages.make(Encoding.JSONL)

    def downgrade(manifest):
        manifest |= {"log_format": "sekisho.log/1", "origin": ""}
        registered = {"registry.jsonl", "checkpoints.jsonl", "anchors.jsonl", "checkpoint"}
        manifest["files"] = [part for part in manifest["files"] if part["path"] not in registered]
        manifest["counts"] |= {"registry": 0, "checkpoints": 0}

    change_manifest(package, downgrade, repair)
    assert verify_package(package).exit_code == ExitCode.UNVERIFIABLE
    assert problems(packages.verify(package)) == {Problem.ROLLED_BACK}
    trusted = [parse_vkey(packages.vkey)]
    assert problems(verify_package(package, trusted=trusted)) == {Problem.KEY_WRONG}


def test_a_package_of_a_log_of_later_is_refused_in_words(packages, repair, capsys):
    package = packages.make(Encoding.JSONL)
    change_manifest(package, lambda manifest: manifest.update(log_format="sekisho.log/9"), repair)
    assert main(["log", "verify", "--export", str(package)]) == 5
    assert "use the Sekisho version that wrote it" in capsys.readouterr().err.replace("\n", " ")


# Packages without URLs


@pytest.mark.parametrize("encoding", list(Encoding))
def test_a_package_made_without_urls_is_not_called_tampered_with(packages, encoding, capsys):
    target = packages.folder / "without"
    words = ["--format", encoding.value, "--package", str(target), "--without-urls"]
    assert main(["log", "export", "--log", packages.log.url, *words]) == 0, capsys.readouterr().err
    report = verify_package(target)
    assert report.findings == ()
    assert report.records == 20
    assert report.exit_code == ExitCode.UNVERIFIABLE
    assert any("without URLs" in sentence for sentence in report.unverifiable)


def test_urls_that_were_taken_out_of_a_package_are_not_excused_by_its_manifest_alone(packages, repair):
    package = packages.make(Encoding.JSONL)
    change_manifest(package, lambda manifest: manifest.update(urls=False), repair)
    assert packages.verify(package).exit_code == ExitCode.TAMPERED


# What has no end


def test_links_pipes_and_devices_in_a_package_are_findings_and_nobody_waits_for_them(packages):
    whole = packages.make(Encoding.JSONL)
    parts = [path.relative_to(whole) for path in whole.rglob("*") if path.is_file()]
    for part in parts:
        for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.mkdir()):
            package = packages.copy(whole)
            (package / part).unlink()
            make(package / part)
            report = packages.verify(package)
            assert report.exit_code == ExitCode.TAMPERED, part
            shutil.rmtree(package)


@pytest.mark.parametrize(
    "name",
    ["manifest.json", "SHA256SUMS", "registry.jsonl", "checkpoint", "checkpoints.jsonl", "heads.jsonl"],
)
def test_a_file_with_a_hole_of_a_terabyte_is_not_read_into_memory(packages, name):
    package = packages.make(Encoding.JSONL)
    os.truncate(package / name, 1 << 40)
    report = packages.verify(package)
    assert report.exit_code == ExitCode.TAMPERED
    assert any(name in finding.text for finding in report.findings)


def test_a_small_file_that_unpacks_to_anything_is_read_a_bounded_page_at_a_time(packages, repair):
    import tracemalloc

    package = packages.make(Encoding.JSONL)
    line = (
        json.dumps({"idx": 0, "salt": "00" * 16, "url": "x" * 4_000_000, "parent_url": None}).encode() + b"\n"
    )
    first(package, "urls").write_bytes(gzip.compress(line * 200, 1))
    repair(package)
    tracemalloc.start()
    report = packages.verify(package)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.exit_code == ExitCode.TAMPERED
    assert most < 300 << 20


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"a":' * 100_000])
def test_sums_by_host_that_are_nested_too_deep_are_a_finding_and_no_crash(packages, repair, deep):
    package = packages.make(Encoding.JSONL)
    change_rows(first(package, "sums"), lambda rows: [{**rows[0], "reasons": deep}, *rows[1:]])
    repair(package)
    assert problems(packages.verify(package)) == {Problem.ROLLUP_WRONG}
