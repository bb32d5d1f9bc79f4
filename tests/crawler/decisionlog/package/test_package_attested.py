"""What others attested, and the sums by host, are checked in a package as in the log; forged ones are found."""

from __future__ import annotations

import gzip
import json

import pytest
from cosigners import KINDS, STAMP, Cosigner
from cryptography.hazmat.backends.openssl.backend import backend

from blocklists.errors import ExitCode
from crawler.cli import main
from crawler.decisionlog import anchors
from crawler.decisionlog.findings import Problem
from crawler.decisionlog.package.layout import Encoding
from crawler.decisionlog.package.verify import verify_package
from crawler.decisionlog.reader import LogReader
from tests.crawler.decisionlog.package.conftest import rehash


class Witness(Cosigner):
    """Cosigns whatever it is shown, and puts it into the log."""

    def attest(self, log):
        with log.reader() as reader:
            note = anchors.newest_note(reader)
            size = int(note.text.split("\n")[1])
            anchors.keep(
                reader.path,
                anchors.Attested(
                    kind=anchors.COSIGNATURE,
                    name=str(self.vkey),
                    size=size,
                    time_us=STAMP * 1_000_000,
                    body=self.line(note.text).encode(),
                ),
            )


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def witness(request):
    return Witness("witness.example", request.param)


@pytest.fixture
def package(packages, witness):
    """A package with two cosigned checkpoints."""
    witness.attest(packages.log)
    packages.log.write(run_id="later")
    witness.attest(packages.log)
    return packages.make(Encoding.JSONL)


def verified(packages, package, *witnesses, roots=()):
    return verify_package(
        package, known=[packages.kept], witnesses=[one.vkey for one in witnesses], roots=roots
    )


def test_cosignatures_in_a_package_are_checked_counted_and_told(packages, package, witness, capsys):
    report = verified(packages, package, witness)
    assert (report.findings, report.attested, report.attested_unchecked) == ((), 2, 0)
    assert any(note.startswith("2 attestations by others hold") for note in report.notes)
    report = verified(packages, package, Witness("another.example"))
    assert (report.findings, report.attested, report.attested_unchecked) == ((), 0, 2)
    assert any("were not checked" in note for note in report.notes)
    kept = f"{packages.log.path}.checkpoint"
    words = ["log", "verify", "--export", str(package), "--known-checkpoint", kept, "--format", "json"]
    assert main([*words, "--witness-key", str(witness.vkey)]) == ExitCode.DONE
    answer = json.loads(capsys.readouterr().out)
    assert (answer["attestations"], answer["attestations_not_checked"]) == (2, 0)


def rewrite(package, change):
    """Change the attestations, and make manifest and sums fit."""
    path = package / "anchors.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows = change(rows) or rows
    path.write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows))
    rehash(package)


def other_stamp(rows):
    rows[0]["ts_us"] += 1_000_000


def other_checkpoint(rows):
    rows[0]["size"], rows[1]["size"] = rows[1]["size"], rows[0]["size"]


def no_checkpoint(rows):
    rows[1]["size"] += 1


def other_octets(rows):
    octets = bytearray.fromhex(rows[0]["body"])
    octets[-20] ^= 1
    rows[0]["body"] = octets.hex()


def by_a_stranger(rows):
    rows[0]["body"] = rows[1]["body"].replace(rows[1]["body"][40:44], "0000")


def unknown_kind(rows):
    rows[0]["kind"] = "other"


def first_gone(rows):
    return rows[1:]


def no_number(rows):
    rows[0]["size"] = "4"


def no_octets(rows):
    rows[0]["body"] = "zz"


@pytest.mark.parametrize(
    "change",
    [other_stamp, other_checkpoint, no_checkpoint, other_octets, by_a_stranger, unknown_kind, first_gone],
)
def test_an_attestation_that_was_forged_is_found_even_where_every_file_fits_the_manifest(
    packages, package, witness, change
):
    rewrite(package, change)
    report = verified(packages, package, witness)
    assert {finding.problem for finding in report.findings} == {Problem.ANCHOR_WRONG}
    assert report.exit_code is ExitCode.TAMPERED


@pytest.mark.parametrize("change", [no_number, no_octets])
def test_attestations_that_cannot_be_read_are_a_finding_that_names_the_file(
    packages, package, witness, change
):
    rewrite(package, change)
    (finding,) = verified(packages, package, witness).findings
    assert finding.problem is Problem.FILE_DAMAGED
    assert "anchors.jsonl" in finding.text


def test_a_cosignature_of_another_history_does_not_hold(packages, package, witness):
    """The witness did cosign something of this size, and not what is in the package."""
    with LogReader.open(packages.log.url) as reader:
        note = anchors.newest_note(reader)
    line = witness.line(note.text.replace("\n", "x\n", 1))

    def change(rows):
        rows[1]["body"] = line.encode().hex()

    rewrite(package, change)
    (finding,) = verified(packages, package, witness).findings
    assert finding.problem is Problem.ANCHOR_WRONG


def test_where_ml_dsa_is_missing_its_cosignatures_in_a_package_are_unverifiable_and_not_good(
    packages, monkeypatch
):
    witness = Witness("witness.example")
    witness.attest(packages.log)
    package = packages.make(Encoding.JSONL)
    monkeypatch.setattr(backend, "mldsa_supported", lambda: False)
    report = verified(packages, package, witness)
    assert (report.findings, report.attested, report.attested_unchecked) == ((), 0, 1)
    assert report.exit_code is ExitCode.UNVERIFIABLE
    assert any("ML-DSA-44 cannot be verified here" in line for line in report.unverifiable)
    rewrite(package, other_octets_cut)
    assert verified(packages, package, witness).exit_code is ExitCode.TAMPERED


def other_octets_cut(rows):
    rows[0]["body"] = rows[0]["body"][:200]


@pytest.mark.parametrize("encoding", list(Encoding))
def test_sums_that_a_writer_sealed_and_the_records_of_a_package_do_not_give_are_found(
    packages, encoding, monkeypatch
):
    """The seal's root fits the sums: somebody with the key wrote both."""
    from dataclasses import replace

    from crawler.decisionlog import survey

    before = survey.sum_of
    monkeypatch.setattr(
        survey,
        "sum_of",
        lambda key, groups: replace(before(key, groups), n_skip=before(key, groups).n_skip + 1),
    )
    packages.log.write(run_id="forged")
    report = packages.verify(packages.make(encoding))
    assert [(finding.problem, finding.text) for finding in report.findings] == [
        (Problem.ROLLUP_WRONG, "its sums by host are not those of its records")
    ]


@pytest.mark.parametrize("cut", [0, 1])
def test_sums_of_a_package_that_were_changed_are_found(packages, cut):
    package = packages.make(Encoding.JSONL)
    path = min((package / "sums").iterdir())
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    row = json.loads(lines[0])
    changed = [] if cut else [json.dumps({**row, "n_fetch": row["n_fetch"] + 1}).encode() + b"\n"]
    path.write_bytes(gzip.compress(b"".join([*changed, *lines[1:]])))
    rehash(package)
    (finding,) = packages.verify(package).findings
    assert finding.problem is Problem.ROLLUP_WRONG
