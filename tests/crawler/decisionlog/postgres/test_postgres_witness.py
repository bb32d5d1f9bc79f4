"""What witnesses say of a log in PostgreSQL is kept by the crawler's own role, and checked as of a file."""

from __future__ import annotations

import json

import pytest
from cosigners import KINDS, Cosigner, LoopbackWitness

from blocklists.errors import ExitCode
from crawler.cli import main


@pytest.fixture
def written(pg, monkeypatch):
    """A log with a sealed run, named in the environment."""
    pg.write()
    pg.use(monkeypatch)
    return pg


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_witness_cosigns_a_log_in_postgres_and_a_package_and_a_proof_bring_it_along(
    written, kind, httpserver, tmp_path, capsys
):
    key = Cosigner(kind=kind)
    witness = LoopbackWitness(key)
    httpserver.expect_request("/w/add-checkpoint", method="POST").respond_with_handler(witness.answer)
    assert main(["log", "anchor", "--witness", httpserver.url_for("/w"), key.text]) == ExitCode.DONE
    segment = str(written.verify().segments[0].segment)
    proof, package = str(tmp_path / "record.proof"), str(tmp_path / "package")
    assert main(["log", "prove", f"{segment}#3", "--out", proof]) == ExitCode.DONE
    assert main(["log", "export", "--package", package, "--no-record"]) == ExitCode.DONE
    with written.reader() as reader:
        (leaf,) = reader.leaves({"key_add"})
    capsys.readouterr()
    for words in (
        ["log", "verify", "--format", "json"],
        ["log", "verify", "--export", package, "--known-checkpoint", str(written.custody.checkpoint_file),
         "--format", "json"],
    ):  # fmt: skip
        assert main([*words, "--witness-key", key.text]) == ExitCode.DONE
        told = json.loads(capsys.readouterr().out)
        assert (told["attestations"], told["attestations_not_checked"]) == (1, 0)
    assert main(["log", "check", proof, "--key", leaf.event.vkey, "--witness-key", key.text]) == ExitCode.DONE
    assert f"The witness {key.vkey.short} cosigned it" in capsys.readouterr().out
