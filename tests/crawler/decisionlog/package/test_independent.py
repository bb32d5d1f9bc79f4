"""Two verifiers that share no code say the same of intact logs and of hundreds of broken ones."""

from __future__ import annotations

import ast
import contextlib
import gzip
import json
import shutil
import sqlite3
import subprocess
import sys
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawler.decisionlog.notes import NoteError, parse_note, sign, signers, verifier_key
from crawler.decisionlog.package import layout
from crawler.decisionlog.package.layout import Encoding
from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.verify import verify_log

SOURCE = Path(layout.__file__).with_name("independent.py")
MUTATIONS = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def test_it_is_one_page_of_the_standard_library_and_ships_with_every_package(packages):
    text = SOURCE.read_text()
    assert text.count("\n") < 200
    assert max(map(len, text.splitlines())) <= 110
    imported = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.partition(".")[0])
    assert imported <= sys.stdlib_module_names
    assert not imported & {"socket", "urllib", "http", "ssl", "subprocess"}
    assert (packages.make() / "verify.py").read_text() == text


def test_a_receiver_runs_it_with_nothing_installed(packages, tmp_path):
    package = packages.make(Encoding.JSONL)
    kept = tmp_path / "kept"
    kept.write_text(str(packages.kept.note))

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-I", "-S", "verify.py", *arguments],
            cwd=package, capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert (run(".", packages.vkey, str(kept)).returncode, run(".").returncode) == (0, 6)
    other = str(
        verifier_key(packages.vkey.partition("+")[0], Ed25519PrivateKey.from_private_bytes(bytes(32)))
    )
    assert run(".", other, str(kept)).returncode == 4
    for path in (package / "records").iterdir():
        path.write_bytes(path.read_bytes()[:-9])
    broken = run(".", packages.vkey, str(kept))
    assert broken.returncode == 4
    assert "records/000001" in broken.stdout


def test_both_accept_what_nobody_touched(packages, independent, tmp_path):
    kept = tmp_path / "kept"
    kept.write_text(str(packages.kept.note))
    for place in (packages.make(Encoding.JSONL), packages.log.path):
        assert independent(place, packages.vkey, kept) == (0, [])
        assert independent(place)[0] == 6
    assert independent(packages.make(Encoding.PARQUET), packages.vkey, kept)[0] == 6


def test_both_refuse_an_older_package_in_place_of_a_newer_log(packages, independent, tmp_path):
    shutil.copy(packages.log.path, tmp_path / "old.db")
    packages.log.write(run_id="run-3")
    kept = tmp_path / "kept"
    kept.write_text(str(packages.kept.note))
    assert independent(packages.log.path, packages.vkey, kept)[0] == 0
    assert independent(tmp_path / "old.db", packages.vkey, kept)[0] == 4


# What the second verifier does not look at: sums by host, files that a basis quotes, columns that repeat others, labels that no hash
# covers, and whether each act that needs a checkpoint of its own has one, when newer ones are there.
UNCHECKED = {
    ("document", "kind"), ("document", "id"), ("document", "size"), ("document", "codec"),
    ("checkpoint", "ts_us"), ("checkpoint", "root"),
    ("checkpoint", "size"), ("registry", "ts_us"), ("registry", "kind"), ("registry", "segment_id"),
    ("registry", "leaf_hash"), ("segment", "schema_ver"),
}  # fmt: skip
TABLES = ("record", "opening", "head", "segment", "context", "document", "registry", "checkpoint")


def altered(draw, value):
    if value is None:
        return draw(st.sampled_from([0, "x", b"\x00" * 32]))
    if isinstance(value, int):
        return draw(st.sampled_from([value ^ 1, value + 1, -value - 1, value ^ (1 << 40), None]))
    if isinstance(value, str):
        octets = bytearray(value.encode() or b"x")
        bit = draw(st.integers(0, len(octets) * 8 - 1))
        octets[bit // 8] ^= 1 << bit % 8
        return draw(st.sampled_from([octets.decode("latin-1"), value + "x", value[:-1], None]))
    octets = bytearray(value or b"x")
    bit = draw(st.integers(0, len(octets) * 8 - 1))
    octets[bit // 8] ^= 1 << bit % 8
    return draw(st.sampled_from([bytes(octets), value + b"x", value[:-1], None]))


@given(data=st.data())
@MUTATIONS
def test_both_find_a_changed_cell_or_a_removed_row_of_a_database(packages, independent, data):
    """The log is written once for all examples; each breaks a copy."""
    broken = packages.folder / "broken.db"
    shutil.copy(packages.log.path, broken)
    shutil.copy(packages.kept.place, f"{broken}.checkpoint")
    connection = sqlite3.connect(broken, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA ignore_check_constraints = ON")
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    table = data.draw(st.sampled_from(TABLES))
    columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
    keys = [row[1] for row in columns if row[5]]
    rows = connection.execute(f"SELECT * FROM {table}").fetchall()
    row = dict(zip([each[1] for each in columns], data.draw(st.sampled_from(rows)), strict=True))
    where = " AND ".join(f"{key} = ?" for key in keys)
    which = [row[key] for key in keys]
    if data.draw(st.integers(0, 9)) == 0 and table != "checkpoint" and row.get("kind") != "robots":
        connection.execute(f"DELETE FROM {table} WHERE {where}", which)
    else:
        column = data.draw(st.sampled_from([name for name in row if (table, name) not in UNCHECKED]))
        value = altered(data.draw, row[column])
        if value == row[column]:
            return
        try:
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", [value, *which])
        except sqlite3.Error:
            return
    connection.close()
    with LogReader.open(f"sqlite:///{broken}") as reader:
        first = verify_log(reader)
    code, found = independent(broken, packages.vkey, packages.kept.place)
    assert (int(first.exit_code), code) == (4, 4), (first.findings, found)


@given(data=st.data())
@MUTATIONS
def test_both_find_a_changed_member_or_a_removed_line_of_a_package(packages, independent, repair, data):
    package = packages.folder / "package-1"
    if not package.exists():
        packages.make(Encoding.JSONL)
    broken = packages.folder / "broken"
    shutil.rmtree(broken, ignore_errors=True)
    shutil.copytree(package, broken)
    names = ["segments.jsonl", "contexts.jsonl", "heads.jsonl", "registry.jsonl", "checkpoints.jsonl"]
    names += [
        path.relative_to(broken).as_posix()
        for kind in ("records", "urls")
        for path in (broken / kind).iterdir()
    ]
    path = broken / data.draw(st.sampled_from(sorted(names)))
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        rows = [json.loads(line) for line in file]
    at = data.draw(st.integers(0, len(rows) - 1))
    if data.draw(st.integers(0, 9)) == 0 and path.name != "checkpoints.jsonl":
        del rows[at]
    else:
        name = data.draw(st.sampled_from(sorted(rows[at])))
        value = altered(data.draw, rows[at][name])
        if value == rows[at][name] or isinstance(value, bytes) or name == "schema_ver":
            return
        octets = name.endswith(("sha256", "commit", "hash", "root", "nonce", "salt", "uuid"))
        if octets and str(value).lower() == str(rows[at][name]).lower():
            return  # the same octets, written in capitals
        rows[at][name] = value
    with opener(path, "wb") as file:
        for row in rows:
            file.write(
                json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
            )
    repair(broken)
    first = packages.verify(broken)
    code, found = independent(broken, packages.vkey, packages.kept.place)
    assert (int(first.exit_code), code) == (4, 4), (path.name, first.findings, first.unverifiable, found)


@pytest.fixture
def module(independent):
    import importlib.util

    spec = importlib.util.spec_from_file_location("independent_copy", SOURCE)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


# RFC 8032 section 7.1, TEST 1 to 3 and TEST SHA(abc).
ED25519 = [
    ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    ("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "text", "signature"), ED25519)
def test_its_signatures_are_those_of_rfc_8032(module, key, text, signature):
    key, text, signature = map(bytes.fromhex, (key, text, signature))
    assert module.is_signed(key, text, signature)
    assert not module.is_signed(key, text + b"x", signature)
    for bit in range(0, 512, 7):
        wrong = bytearray(signature)
        wrong[bit // 8] ^= 1 << bit % 8
        try:
            assert not module.is_signed(key, text, bytes(wrong))
        except ValueError:
            continue
    # s + L is the same number to whoever does not compare it with L (RFC 8032 section 5.1.7).
    high = (int.from_bytes(signature[32:], "little") + module.Q).to_bytes(32, "little")
    assert not module.is_signed(key, text, signature[:32] + high)
    assert not module.is_signed(key, text, signature + b"\0")


@given(seed=st.binary(min_size=32, max_size=32), text=st.binary(max_size=200), flipped=st.integers(0, 511))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_its_signatures_are_those_of_another_implementation(module, seed, text, flipped):
    private = Ed25519PrivateKey.from_private_bytes(seed)
    key, signature = private.public_key().public_bytes_raw(), private.sign(text)
    assert module.is_signed(key, text, signature)
    wrong = bytearray(signature)
    wrong[flipped // 8] ^= 1 << flipped % 8
    with contextlib.suppress(ValueError):
        assert not module.is_signed(key, text, bytes(wrong))


def test_both_reject_the_same_notes(module):
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    root = b64encode(sha256(b"").digest()).decode()
    note = str(sign(f"log\n7\n{root}\n", "log", private))
    vkey = verifier_key("log", private)
    keys = dict([module.key_of(str(vkey))])
    assert module.read_note(note.encode(), keys)[:3] == ("log", 7, sha256(b"").digest())
    stranger = str(sign(f"log\n7\n{root}\n", "log", Ed25519PrivateKey.from_private_bytes(bytes(32)))).split(
        "\n\n"
    )[1]
    assert module.read_note((note + stranger).encode(), keys)[1] == 7, (
        "a signature of an unknown key is ignored"
    )
    wrong = note.replace("\n7\n", "\n8\n")
    for bad in (
        wrong,
        note.partition("\n\n")[0] + "\n\n" + stranger,
        note.replace("\u2014 log", "\u2014 gol"),
        wrong + note,
    ):
        with pytest.raises(ValueError):
            module.read_note(bad.encode(), keys)
        with pytest.raises(NoteError):
            signers(parse_note(bad.encode()), [vkey])
