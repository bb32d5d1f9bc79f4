"""Witnesses that cosign with ML-DSA-44, over real sockets: what they say is kept only where it can be checked."""

from __future__ import annotations

import base64
import json

import pytest
from cosigners import ED25519, MLDSA44, STAMP, Cosigner, LoopbackWitness
from cryptography.hazmat.backends.openssl.backend import backend

from blocklists.errors import ExitCode
from crawler.cli import main
from crawler.decisionlog import witness as witnesses
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.findings import Problem
from crawler.decisionlog.registry_state import KnownCheckpoint
from crawler.decisionlog.verify import verify_log

NAME = "witness.example"


@pytest.fixture
def new():
    return Cosigner(NAME)


@pytest.fixture
def old():
    return Cosigner(NAME, ED25519)


@pytest.fixture
def serve(httpserver):
    """Serves a witness with these keys, and returns it with its address."""

    def served(*cosigners, path="/w"):
        one = LoopbackWitness(*cosigners)
        httpserver.expect_request(f"{path}/add-checkpoint", method="POST").respond_with_handler(one.answer)
        one.url = httpserver.url_for(path)
        return one

    return served


def ask(log, *pairs):
    words = [word for url, key in pairs for word in ("--witness", url, getattr(key, "text", key))]
    return main(["log", "anchor", "--log", log.url, *words])


def verify(log, *cosigners):
    with log.reader() as reader:
        return verify_log(reader, witnesses=[one.vkey for one in cosigners])


def stored(log):
    return log.raw().execute("SELECT size, name, body FROM anchor ORDER BY id").fetchall()


def test_a_witness_with_ml_dsa_cosigns_each_checkpoint_that_extends_the_last(
    log, serve, new, tmp_path, capsys
):
    witness = serve(new)
    key_file = tmp_path / "witness.vkey"
    key_file.write_text(new.text + "\n")
    for number, key in enumerate((new, str(key_file), new)):
        log.write(run_id=f"run-{number}")
        assert ask(log, (witness.url, key)) == ExitCode.DONE
    assert (witness.size, witness.asked) == (8, [0, 4, 6])
    assert "attested by" in capsys.readouterr().out
    assert [(size, name) for size, name, _ in stored(log)] == [(size, new.text) for size in (4, 6, 8)]
    report = verify(log, new)
    assert (report.findings, report.attested, report.attested_unchecked) == ((), 3, 0)
    assert any(f"by {new.vkey.short}, is of 8 entries" in note for note in report.notes)
    assert main(["log", "verify", "--log", log.url, "--witness-key", str(key_file)]) == ExitCode.DONE
    assert len(capsys.readouterr().out) < 2000, "a key of 1,750 letters is not shown to people"


def test_a_witness_that_answers_with_both_kinds_is_kept_by_each_of_its_keys_that_is_named(
    log, serve, new, old
):
    witness = serve(old, new)
    log.write()
    assert ask(log, (witness.url, new), (witness.url, old)) == ExitCode.DONE
    kept = stored(log)
    assert [name for _, name, _ in kept] == [new.text, old.text]
    assert [body.decode().count("\n") for *_, body in kept] == [1, 1], "of each answer the line asked for"
    assert verify(log, new, old).attested == 2
    report = verify(log, new)
    assert (report.findings, report.attested, report.attested_unchecked) == ((), 1, 1)


def test_sixteen_lines_of_others_in_the_answer_are_ignored(log, serve, new):
    others = [Cosigner(f"w{number}.example") for number in range(15)]
    witness = serve(*others, new)
    noise = new.written(bytes(5000), key_id=b"\x01\x02\x03\x04")
    witness.answered = lambda lines, _: noise * 16 + lines
    log.write()
    assert ask(log, (witness.url, new)) == ExitCode.DONE
    ((_, _, body),) = stored(log)
    assert body.decode().startswith(f"\u2014 {NAME} {base64.b64encode(new.id).decode()[:5]}")
    assert verify(log, new).attested == 1


def changed(text, **parts):
    origin, size, root = text.split("\n")[:3]
    fields = {"origin": origin, "size": size, "root": root} | parts
    return "".join(f"{fields[name]}\n" for name in ("origin", "size", "root"))


OTHER_ROOT = base64.b64encode(bytes(32)).decode()
HOSTILE = {
    "another origin": lambda one, text: one.line(changed(text, origin="log.example/other")),
    "another size": lambda one, text: one.line(changed(text, size="5")),
    "another root": lambda one, text: one.line(changed(text, root=OTHER_ROOT)),
    "a time that was changed": lambda one, text: one.written(
        (STAMP + 1).to_bytes(8, "big") + one.octets(text)[8:]
    ),
    "no time": lambda one, text: one.line(text, 0),
    "the year 10000": lambda one, text: one.line(text, 253_402_300_800),
    "the last second": lambda one, text: one.line(text, 2**63 - 1),
    "a later one": lambda one, text: one.line(text, 2**63),
    "cut off": lambda one, text: one.written(one.octets(text)[:-1]),
    "too long": lambda one, text: one.written(one.octets(text) + b"\x00"),
    "another key": lambda _, text: Cosigner(NAME).line(text),
    "another name": lambda one, text: one.written(one.octets(text), name="another.example"),
    "the old kind": lambda _, text: Cosigner(NAME, ED25519).line(text),
    "the old kind under the new ID": lambda one, text: one.written(Cosigner(NAME, ED25519).octets(text)),
    "a good and a bad one": lambda one, text: one.line(text) + one.written(bytes(2428)),
    "a checkpoint": lambda one, text: f"{text}\n{one.line(text)}",
    "no end": lambda one, text: one.line(text).rstrip("\n"),
    "nothing": lambda *_: "",
    "too many": lambda one, text: one.line(text) * 65,
    "too much": lambda one, text: one.line(text) + "x" * witnesses.LONGEST_ANSWER,
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_an_answer_that_is_no_cosignature_of_this_checkpoint_is_not_kept_and_stops_nothing(
    log, serve, new, hostile, capsys
):
    witness = serve(new)
    witness.answered = lambda _, text: hostile(new, text)
    log.write()
    assert ask(log, (witness.url, new)) == ExitCode.TRY_LATER
    assert capsys.readouterr().err.startswith("sekisho: ")
    assert stored(log) == []
    log.write(run_id="run-2")
    assert verify(log, new).exit_code is ExitCode.DONE


@pytest.fixture
def cosigned(log, serve, new, old):
    """A log whose one checkpoint is cosigned with both kinds."""
    witness = serve(old, new)
    log.write()
    assert ask(log, (witness.url, new), (witness.url, old)) == ExitCode.DONE
    return log


@pytest.mark.parametrize(
    "change",
    [
        "body = zeroblob(10)",
        "ts_us = ts_us + 1000000",
        "size = 3",
        "kind = 'rfc3161x'",
        "id = 9",
    ],
)
def test_a_kept_cosignature_that_was_changed_is_found(cosigned, new, old, change):
    cosigned.unguarded().execute(f"UPDATE anchor SET {change} WHERE id = 1")
    report = verify(cosigned, new, old)
    assert {finding.problem for finding in report.findings} == {Problem.ANCHOR_WRONG}


def test_a_kept_cosignature_put_under_the_other_key_of_its_witness_is_found(cosigned, new, old):
    rows = stored(cosigned)
    unguarded = cosigned.unguarded()
    for number, (_, _, body) in enumerate(reversed(rows), 1):
        unguarded.execute("UPDATE anchor SET body = ? WHERE id = ?", (body, number))
    report = verify(cosigned, new, old)
    assert [finding.problem for finding in report.findings] == [Problem.ANCHOR_WRONG] * 2
    assert all("no known key signed it" in finding.text for finding in report.findings)


@pytest.mark.parametrize("place", range(0, 3300, 331))
def test_a_letter_of_a_kept_cosignature_that_was_changed_is_found(cosigned, new, place):
    (_, _, body), _ = stored(cosigned)
    letter = bytes([body[place] ^ 1])
    cosigned.unguarded().execute(
        "UPDATE anchor SET body = ? WHERE id = 1", (body[:place] + letter + body[place + 1 :],)
    )
    (finding,) = verify(cosigned, new).findings
    assert finding.problem is Problem.ANCHOR_WRONG


def test_where_ml_dsa_is_missing_a_kept_cosignature_is_said_to_be_unverifiable_and_not_good(
    cosigned, new, old, monkeypatch, capsys
):
    monkeypatch.setattr(backend, "mldsa_supported", lambda: False)
    report = verify(cosigned, new, old)
    assert (report.findings, report.attested, report.attested_unchecked) == ((), 1, 1)
    assert report.exit_code is ExitCode.UNVERIFIABLE
    (why,) = report.unverifiable
    assert "ML-DSA-44 cannot be verified here" in why
    assert not any("not checked" in note for note in report.notes), "a key was given for each"
    assert verify(cosigned, old).exit_code is ExitCode.DONE, "whoever does not ask for it is not told"
    words = ["log", "verify", "--log", cosigned.url, "--witness-key", new.text]
    assert main(words) == ExitCode.UNVERIFIABLE
    assert "install cryptography 48 or newer, with OpenSSL 3.5 or newer" in capsys.readouterr().out
    cosigned.unguarded().execute("UPDATE anchor SET body = substr(body, 1, 400) WHERE id = 1")
    assert verify(cosigned, new).exit_code is ExitCode.TAMPERED, "what is no cosignature at all is found"


@pytest.fixture
def without_mldsa(new, monkeypatch):
    """A machine whose OpenSSL has no ML-DSA; the witness with its key is on another one."""
    assert new.private
    monkeypatch.setattr(backend, "mldsa_supported", lambda: False)


@pytest.mark.usefixtures("without_mldsa")
def test_where_ml_dsa_is_missing_such_a_witness_is_not_asked_and_the_others_are(log, serve, new, old, capsys):
    unheard, heard = serve(new, path="/new"), serve(old, path="/old")
    log.write()
    assert ask(log, (unheard.url, new), (heard.url, old)) == ExitCode.UNVERIFIABLE
    assert (unheard.asked, heard.asked) == ([], [0])
    assert "ML-DSA-44 cannot be verified here" in capsys.readouterr().err
    assert [name for _, name, _ in stored(log)] == [old.text]
    away = "http://127.0.0.1:9/"
    for pairs in (((unheard.url, new), (away, old)), ((away, old), (unheard.url, new))):
        assert ask(log, *pairs) == ExitCode.TRY_LATER, "the other one has to be asked again"


def test_a_key_of_a_log_is_no_key_of_a_witness(log, serve, new, capsys):
    witness = serve(new)
    log.write()
    with log.reader() as reader:
        (leaf,) = reader.leaves({"key_add"})
    assert ask(log, (witness.url, leaf.event.vkey)) == ExitCode.USAGE
    assert "--witness" in capsys.readouterr().err
    assert main(["log", "verify", "--log", log.url, "--witness-key", leaf.event.vkey]) == ExitCode.USAGE
    assert "type 0x04 or 0x06 is needed, this is 0x01" in capsys.readouterr().err
    assert witness.asked == []


def comparing(log, kept, witness):
    """Return the command that compares a log with a kept checkpoint on the word of a witness."""
    known = ["--known-checkpoint", str(kept), "--witness-key", witness.text]
    return ["log", "verify", "--log", log.url, *known]


def test_a_checkpoint_that_somebody_kept_with_its_cosignature_is_compared(
    cosigned, new, tmp_path, monkeypatch, capsys
):
    """Who trusts the witness and not the log's own key has only its cosignature to hold on to."""
    (_, _, body), _ = stored(cosigned)
    note = cosigned.path.with_name("sekisho.db.checkpoint").read_bytes()
    kept = tmp_path / "kept"
    kept.write_bytes(note + body)
    words = comparing(cosigned, kept, new)
    assert main(words) == ExitCode.DONE
    kept.write_bytes(note + new.written(bytes(2428)).encode())
    assert main(words) == ExitCode.TAMPERED
    kept.write_bytes(note + body)
    monkeypatch.setattr(backend, "mldsa_supported", lambda: False)
    capsys.readouterr()
    assert main(words) == ExitCode.UNVERIFIABLE
    assert capsys.readouterr().err.startswith("sekisho: ML-DSA-44 cannot be verified here")


def test_a_checkpoint_that_was_kept_with_sixty_signatures_of_five_thousand_octets_is_read(
    cosigned, new, tmp_path
):
    (_, _, body), _ = stored(cosigned)
    note = cosigned.path.with_name("sekisho.db.checkpoint").read_bytes()
    others = "".join(new.written(bytes(5000), name=f"w{number}.example") for number in range(60))
    kept = tmp_path / "kept"
    kept.write_bytes(note + others.encode() + body)
    assert main(comparing(cosigned, kept, new)) == ExitCode.DONE


@pytest.mark.parametrize("kind", [ED25519, MLDSA44])
def test_a_witness_stands_in_for_no_key_of_the_log(cosigned, proof, tmp_path, capsys, kind):
    """Whoever has only its cosignature believes the witness, and nothing of who made the log."""
    log, kept = cosigned, tmp_path / "kept"
    witness = Cosigner("alone.example", kind)
    head = log.path.with_name("sekisho.db.checkpoint").read_text().split("\n\n")[0] + "\n"
    kept.write_text(f"{head}\n{witness.line(head)}")
    words = ["log", "verify", "--log", log.url, "--known-checkpoint", str(kept)]
    assert main(words) == ExitCode.TAMPERED, "nobody known signed it"
    assert main([*words, "--witness-key", witness.text]) == ExitCode.DONE
    for asked in (words, proof[1][:3]):
        capsys.readouterr()
        assert main([*asked, "--key", witness.text]) == ExitCode.USAGE
        assert (
            f"type 0x01 is needed, this is 0x{kind:02x}; give a witness's key with" in capsys.readouterr().err
        )
    with log.reader() as reader:
        one = KnownCheckpoint.read("kept", kept.read_bytes())
        assert verify_log(reader, known=[one], trusted=[witness.vkey]).exit_code == ExitCode.TAMPERED


@pytest.mark.parametrize("kind", [ED25519, MLDSA44])
def test_a_key_of_a_witness_that_the_registry_names_as_its_own_is_found(log, kind):
    """Somebody with the log's key lets a witness sign checkpoints in its place."""
    from crawler.decisionlog.registry import KeyAdded
    from crawler.decisionlog.retention.acts import Actor

    log.write()
    stranger = Cosigner(log.path.with_name("sekisho.db.checkpoint").read_text().split("\n")[0], kind)
    with Actor(log.url) as actor, actor.signed(log.clock.now_us()) as act:
        act.append(KeyAdded(vkey=stranger.text))
    report = verify(log)
    (finding,) = report.findings
    assert finding.problem is Problem.REGISTRY_CHANGED
    assert f"type 0x0{kind}, which signs no log" in finding.text


@pytest.fixture
def proof(cosigned, tmp_path, capsys):
    """A proof of a record in a cosigned checkpoint, and the words that check it."""
    with cosigned.reader() as reader:
        (leaf,) = reader.leaves({"key_add"})
        (opened,) = reader.leaves({"segment_open"})
    path = tmp_path / "record.proof"
    words = ["log", "prove", f"{opened.event.segment}#3", "--log", cosigned.url, "--out", str(path)]
    assert main(words) == ExitCode.DONE
    capsys.readouterr()
    return path, ["log", "check", str(path), "--key", leaf.event.vkey]


def test_a_proof_brings_the_cosignatures_of_its_checkpoint_and_every_witness_named_must_have_cosigned(
    proof, new, old, capsys
):
    _, words = proof
    assert main(words) == ExitCode.DONE
    assert "cosigned" not in capsys.readouterr().out, "nobody asked"
    both = ["--witness-key", new.text, "--witness-key", old.text]
    assert main([*words, *both]) == ExitCode.DONE
    shown = capsys.readouterr().out
    assert [f"The witness {one.vkey.short} cosigned it at 2026-11-18T" in shown for one in (new, old)] == [
        True, True,
    ]  # fmt: skip
    assert main([*words, *both, "--format", "json"]) == ExitCode.DONE
    told = json.loads(capsys.readouterr().out)["cosigned_by"]
    assert [one["witness"] for one in told] == [new.vkey.short, old.vkey.short]
    for stranger in (Cosigner(NAME), Cosigner("another.example"), Cosigner(NAME, ED25519)):
        assert main([*words, *both, "--witness-key", stranger.text]) == ExitCode.TAMPERED
        captured = capsys.readouterr()
        assert f"the witness {stranger.vkey.short} did not cosign its checkpoint" in captured.err
        assert captured.out == ""
    assert main([*words, "--witness-key", words[-1]]) == ExitCode.USAGE, "the log is no witness of itself"


def test_a_proof_has_no_cosignature_where_its_own_checkpoint_has_none(cosigned, new, old, tmp_path, capsys):
    """The witnesses cosigned an older one: that says nothing of the one that the proof leads to."""
    cosigned.write(run_id="run-2")
    path = tmp_path / "late.proof"
    with cosigned.reader() as reader:
        (leaf,) = reader.leaves({"key_add"})
        opened = next(reader.leaves({"segment_open"})).event.segment
    assert main(["log", "prove", f"{opened}#3", "--log", cosigned.url, "--out", str(path)]) == ExitCode.DONE
    assert json.loads(path.read_text())["registry"]["tlog_proof"].count("\u2014") == 1
    words = ["log", "check", str(path), "--key", leaf.event.vkey]
    assert main(words) == ExitCode.DONE
    for one in (new, old):
        assert main([*words, "--witness-key", one.text]) == ExitCode.TAMPERED
        assert "no known key signed it" in capsys.readouterr().err


def test_a_forged_cosignature_in_a_proof_is_found_by_whoever_asks_for_it(proof, new, old, capsys):
    path, words = proof
    given = json.loads(path.read_text())
    text = given["registry"]["tlog_proof"]
    line = next(line for line in text.split("\n") if base64.b64encode(new.id).decode()[:5] in line)
    octets = base64.b64decode(line.split(" ")[2])[4:]
    forged = new.written((STAMP + 1).to_bytes(8, "big") + octets[8:]).removesuffix("\n")
    given["registry"]["tlog_proof"] = text.replace(line, forged)
    path.write_text(json.dumps(given))
    assert main([*words, "--witness-key", old.text]) == ExitCode.DONE
    assert main([*words, "--witness-key", new.text]) == ExitCode.TAMPERED
    assert "is wrong" in capsys.readouterr().err


@pytest.mark.usefixtures("proof")
def test_a_proof_is_not_taken_from_an_attestation_that_was_changed(cosigned, capsys):
    cosigned.unguarded().execute("UPDATE anchor SET body = x'00' WHERE id = 1")
    with cosigned.reader() as reader:
        (opened,) = reader.leaves({"segment_open"})
    assert main(["log", "prove", f"{opened.event.segment}#3", "--log", cosigned.url]) == ExitCode.TAMPERED
    assert "attestation 1 was changed" in capsys.readouterr().err


def test_where_ml_dsa_is_missing_a_proof_is_not_said_to_be_cosigned(proof, new, old, monkeypatch, capsys):
    _, words = proof
    monkeypatch.setattr(backend, "mldsa_supported", lambda: False)
    assert main([*words, "--witness-key", old.text]) == ExitCode.DONE
    capsys.readouterr()
    assert main([*words, "--witness-key", new.text]) == ExitCode.UNVERIFIABLE
    captured = capsys.readouterr()
    assert (captured.out, "ML-DSA-44 cannot be verified here" in captured.err) == ("", True)


def test_a_new_log_has_no_name_that_no_witness_could_sign(log, monkeypatch, serve, new):
    monkeypatch.setenv("SEKISHO_LOG_ORIGIN", "a" * 256)
    with pytest.raises(LogError, match="SEKISHO_LOG_ORIGIN has 256 octets"):
        log.open()
    monkeypatch.setenv("SEKISHO_LOG_ORIGIN", "a" * 255)
    log.write()
    witness = serve(new)
    assert ask(log, (witness.url, new)) == ExitCode.DONE
    assert verify(log, new).attested == 1
