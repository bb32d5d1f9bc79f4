"""A log that somebody made or rewrote whole is not taken for the operator's: its key, its format, its schema."""

from __future__ import annotations

import json
import tracemalloc
import zlib
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from blocklists.errors import ExitCode
from crawler.cli import main
from crawler.decisionlog.findings import Problem
from crawler.decisionlog.notes import parse_vkey, verifier_key
from crawler.decisionlog.package.layout import Encoding
from crawler.decisionlog.package.plan import PackagePlan
from crawler.decisionlog.package.verify import verify_package
from crawler.decisionlog.package.write import write_package
from crawler.decisionlog.registry import KeyAdded
from crawler.decisionlog.registry_state import KnownCheckpoint
from crawler.decisionlog.retention.acts import Actor
from crawler.decisionlog.verify import verify_log
from policies.basis import SCHEMA


def verify(log, **options):
    with log.reader() as reader:
        return verify_log(reader, **options)


def problems(report):
    return {finding.problem for finding in report.findings}


@pytest.fixture
def forged(log):
    """A log that the operator never wrote, with the checkpoint that its writer leaves beside it."""
    log.write()
    with log.reader() as reader:
        (opened,) = reader.leaves({"log_open"})
    return log, verifier_key(opened.event.origin, Ed25519PrivateKey.generate())


def test_a_key_that_must_have_signed_and_did_not_is_missed_whatever_checkpoint_lies_beside(forged):
    log, operators = forged
    report = verify(log, trusted=[operators])
    assert problems(report) == {Problem.KEY_WRONG}
    assert report.exit_code == ExitCode.TAMPERED


def test_a_key_that_the_registry_only_names_has_not_signed(forged):
    """Whoever makes a log can add any public key to it, and sign with their own."""
    log, operators = forged
    with Actor(log.url) as actor, actor.signed(log.clock.now_us()) as act:
        act.append(KeyAdded(vkey=str(operators)))
        act.registry.checkpoint()
    report = verify(log, trusted=[operators])
    assert problems(report) == {Problem.KEY_WRONG}
    assert "names" in report.findings[0].text
    assert str(operators) not in report.keys, "it is not said to have signed"
    assert verify(log).exit_code == ExitCode.DONE


def test_the_key_of_before_and_the_one_after_a_change_have_both_signed(log, capsys):
    log.write()
    words = ["--new-key-file", str(log.path.with_name("new.key")), "--why", "yearly"]
    assert main(["log", "key", "rotate", "--log", log.url, *words]) == 0
    with log.reader() as reader:
        keys = [parse_vkey(leaf.event.vkey) for leaf in reader.leaves({"key_add"})]
    assert len(keys) == 2
    for key in keys:
        assert verify(log, trusted=[key]).exit_code == ExitCode.DONE
    assert verify(log).keys == tuple(map(str, keys))


def test_a_log_that_is_given_the_older_format_does_not_pass_for_the_one_that_was_signed(log):
    log.write()
    beside = log.path.with_name(f"{log.path.name}.checkpoint")
    known = KnownCheckpoint.read("kept", beside.read_bytes())
    with log.reader() as reader:
        (leaf,) = reader.leaves({"key_add"})
    log.of_format_1()
    assert problems(verify(log)) == {Problem.ROLLED_BACK}, "the checkpoint beside it is of another log"
    beside.unlink()
    assert verify(log).exit_code == ExitCode.UNVERIFIABLE
    assert problems(verify(log, known=[known])) == {Problem.ROLLED_BACK}
    assert problems(verify(log, trusted=[parse_vkey(leaf.event.vkey)])) == {Problem.KEY_WRONG}


@pytest.mark.parametrize("schema", [2, 3, 2**40, 0, -1])
def test_nobody_makes_records_unverifiable_by_giving_them_a_schema_of_later(log, schema):
    log.write()
    connection = log.unguarded()
    connection.execute("UPDATE segment SET schema_ver = ?, nonce = zeroblob(16)", (schema,))
    connection.execute("UPDATE record SET verdict = 'skip' WHERE idx = 4")
    report = verify(log)
    assert report.exit_code == ExitCode.TAMPERED
    assert {Problem.SEGMENT_CHANGED, Problem.RECORD_CHANGED} <= problems(report)


def test_many_holes_in_a_segment_take_no_more_memory_than_one(log):
    """Each is below what is looked over, and all together are the memory of a machine."""
    log.write()
    connection = log.unguarded()
    for idx in range(9, 0, -1):
        connection.execute("UPDATE record SET idx = ? WHERE idx = ?", (idx * 9_000_000, idx))
    report = verify(log)
    assert report.exit_code == ExitCode.TAMPERED
    assert sum(finding.text.endswith("are gone") for finding in report.findings) <= 3


def test_a_view_that_shows_other_verdicts_than_the_log_has_is_found(log):
    """Reports and people query the view, and a changed one changes every number without touching a record."""
    log.write()
    connection = log.unguarded()
    (sql,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'decisions'").fetchone()
    connection.execute("DROP VIEW decisions")
    assert problems(verify(log)) == {Problem.VIEW_CHANGED}
    connection.execute(sql.replace("r.verdict AS verdict", "'fetch' AS verdict"))
    assert connection.execute("SELECT DISTINCT verdict FROM decisions").fetchall() == [("fetch",)]
    assert problems(verify(log)) == {Problem.VIEW_CHANGED}
    connection.execute("DROP VIEW decisions")
    connection.execute(sql)
    assert verify(log).exit_code == ExitCode.DONE


@pytest.mark.parametrize(("table", "written"), [("opening", "opening"), ("checkpoint", "CheckPoint")])
def test_a_view_in_the_place_of_a_table_is_found_however_it_is_written(log, table, written):
    log.write()
    connection = log.unguarded()
    connection.execute(f"ALTER TABLE {table} RENAME TO moved")
    connection.execute(f"CREATE VIEW {written} AS SELECT * FROM moved")
    assert Problem.VIEW_CHANGED in problems(verify(log))


def put_document(log, body, **columns):
    """Put a document into a log as somebody who can hash."""
    connection = log.unguarded()
    names = [row[1] for row in connection.execute("PRAGMA table_info(document)")]
    newest = connection.execute("SELECT * FROM document ORDER BY id DESC LIMIT 1").fetchone()
    row = dict(zip(names, newest, strict=True))
    row |= {"id": row["id"] + 1, "sha256": sha256(body).digest(), "kind": "basis", "size": len(body)}
    row |= {"codec": "raw", "body": body} | columns
    places = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO document ({', '.join(row)}) VALUES ({places})", list(row.values()))


def basis(**evidence):
    quoted = {"source": "http://a.example/robots.txt", "line": 2, "text": "Disallow: /"} | evidence
    rule = {"rule": "robots", "action": "skip", "reason": "robots_disallow", "evidence": [quoted]}
    return json.dumps({"schema": SCHEMA, "rules": [rule]}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000, basis(sha256="zz"), basis(sha256=5), basis(sha256="00" * 32, source=5), basis(sha256=["a"]),
        json.dumps({"schema": SCHEMA, "rules": 5}).encode(), json.dumps({"schema": SCHEMA, "rules": [{}]}).encode(),
        json.dumps({"schema": SCHEMA, "rules": ["x"]}).encode(), b"null", b'{"schema":{}}', b"\xff",
    ],
    ids=range(11),
)  # fmt: skip
def test_a_basis_that_is_none_is_told_and_ends_no_verification_or_export(log, body, tmp_path):
    log.write()
    put_document(log, body)
    report = verify(log)
    assert report.findings == ()
    assert any("1 basis documents are not in the format" in note for note in report.notes)
    plan = PackagePlan(encoding=Encoding.JSONL, runs=frozenset({"run-1"}))
    with log.reader() as reader:
        write_package(reader, tmp_path / "package", plan, now_us=0)
        write_package(reader, tmp_path / "whole", PackagePlan(encoding=Encoding.JSONL), now_us=0)
    assert verify_package(tmp_path / "whole").findings == ()


def test_a_document_that_says_to_unpack_to_anything_is_found_and_not_unpacked(log):
    log.write()
    put_document(log, zlib.compress(bytes(50_000_000), 9), codec="zlib", size=1 << 40)
    tracemalloc.start()
    report = verify(log)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert problems(report) == {Problem.DOCUMENT_CHANGED}
    assert most < 20 << 20


@pytest.mark.parametrize("text", [b"CREATE VIEW decisions", b"CREATE TABLE record", b"CREATE TRIGGER"])
def test_a_damaged_schema_is_damage_and_no_traceback(log, text, capsys):
    """SQLite quotes what it does not understand, and that was no Unicode."""
    log.write()
    octets = bytearray(log.path.read_bytes())
    at = octets.index(text)
    octets[at + 8 : at + 11] = b"\xff\xfe\xfd"
    log.path.write_bytes(octets)
    assert main(["log", "verify", "--log", log.url]) == ExitCode.TAMPERED
    assert "the file is damaged" in capsys.readouterr().err
