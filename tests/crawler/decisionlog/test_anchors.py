"""Others attest what a log was, over real sockets; what they did not attest is found, and nonsense stops nothing."""

from __future__ import annotations

import base64
import datetime as dt
import shutil
import subprocess
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from werkzeug import Response

from blocklists.errors import ExitCode
from crawler.cli import main
from crawler.decisionlog.findings import Problem
from crawler.decisionlog.notes import (
    COSIGNATURE,
    Signature,
    VerifierKey,
    parse_checkpoint,
    parse_note,
    parse_vkey,
)
from crawler.decisionlog.timestamps import TimestampError, check, load_roots, question
from crawler.decisionlog.tree import verify_consistency
from crawler.decisionlog.verify import verify_log


def certificate(
    name,
    key,
    issuer,
    issuer_key,
    *,
    authority=False,
    usage=ExtendedKeyUsageOID.TIME_STAMPING,
    critical=True,
    days=(-10, 10),
):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today + dt.timedelta(days=days[0]))
        .not_valid_after(today + dt.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )
    if authority:
        builder = builder.add_extension(
            x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True
        )
    else:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=critical)
    return builder.sign(issuer_key, hashes.SHA256())


CONFIG = """
[tsa]
default_tsa = one
[one]
dir = {folder}
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
other_policies = 1.2.3.4.5
digests = sha256, sha384, sha512
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


class Authority:
    """A timestamp authority of our own: openssl behind a loopback server."""

    def __init__(self, folder, **options):
        folder.mkdir()
        self.folder = folder
        root_key, key = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
        root = certificate("Root", root_key, None, root_key, authority=True)
        own = certificate("TSA", key, root.subject, root_key, **options)
        for name, octets in (
            ("root.pem", root.public_bytes(serialization.Encoding.PEM)),
            ("tsa.pem", own.public_bytes(serialization.Encoding.PEM)),
            (
                "tsa.key",
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                ),
            ),
            ("serial", b"01\n"),
            ("openssl.cnf", CONFIG.format(folder=folder).encode()),
        ):
            (folder / name).write_bytes(octets)

    @property
    def roots(self):
        return self.folder / "root.pem"

    def reply(self, query):
        (self.folder / "query").write_bytes(query)
        subprocess.run(
            ["openssl", "ts", "-reply", "-config", "openssl.cnf", "-queryfile", "query", "-out", "reply"],
            cwd=self.folder, check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        return (self.folder / "reply").read_bytes()


needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="no openssl here: the tests have no timestamp authority"
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here: the tests have no timestamp authority")
    return Authority(tmp_path_factory.mktemp("tsa") / "own")


@pytest.fixture
def served(authority, httpserver):
    httpserver.expect_request("/tsa", method="POST").respond_with_handler(
        lambda request: Response(authority.reply(request.data), content_type="application/timestamp-reply")
    )
    return httpserver.url_for("/tsa")


def verify(log, **options):
    with log.reader() as reader:
        return verify_log(reader, **options)


def test_a_timestamp_is_asked_for_stored_and_verified(log, authority, served, capsys):
    log.clock.now = int(dt.datetime.now(dt.UTC).timestamp() * 1e6)
    log.write()
    words = ("log", "anchor", "--log", log.url, "--tsa", served)
    assert main([*words]) == ExitCode.USAGE, "without roots it would prove nothing"
    assert main([*words, "--tsa-roots", str(authority.roots)]) == 0
    assert "attested by" in capsys.readouterr().out
    report = verify(log, roots=load_roots(authority.roots))
    assert report.findings == ()
    assert any("1 attestations by others hold" in note for note in report.notes)
    assert any("were not checked" in note for note in verify(log).notes)


def test_a_timestamp_is_told_by_what_its_authority_signed_and_not_by_an_address_beside_it(
    log, served, authority
):
    log.clock.now = int(dt.datetime.now(dt.UTC).timestamp() * 1e6)
    log.write()
    words = ("log", "anchor", "--log", log.url, "--tsa", served, "--tsa-roots", str(authority.roots))
    assert main([*words]) == 0
    log.unguarded().execute("UPDATE anchor SET name = 'https://renowned.example/'")
    report = verify(log, roots=load_roots(authority.roots))
    (told,) = (note for note in report.notes if "attestations by others hold" in note)
    assert "the newest, by CN=TSA, is of" in told
    assert "renowned" not in told


def test_check_21_wrong_imprint_chain_usage_and_a_changed_token_are_rejected(log, authority, tmp_path):
    message = b"checkpoint"
    asked = question(message)
    reply = authority.reply(asked.octets)
    roots = load_roots(authority.roots)
    now_us = int(dt.datetime.now(dt.UTC).timestamp() * 1e6)
    assert abs(check(reply, message, roots, nonce=asked.nonce) - now_us) < 120 * 10**6
    with pytest.raises(TimestampError):
        check(reply, b"another", roots)
    with pytest.raises(TimestampError):
        check(reply, message, roots, nonce=asked.nonce + 1)
    with pytest.raises(TimestampError, match="lies before"):
        check(reply, message, roots, not_before_us=now_us + 3600 * 10**6)
    with pytest.raises(TimestampError):
        check(reply, message, load_roots(Authority(tmp_path / "stranger").roots))
    found = 0
    for at in range(40, len(reply), 97):
        changed = bytearray(reply)
        changed[at] ^= 1
        try:
            assert check(bytes(changed), message, roots, nonce=asked.nonce) == check(reply, message, roots)
        except TimestampError:
            found += 1
    assert found > 10
    for octets in (b"", b"\x30\x00", b"\0" * 500, b"<html>", reply[:-1]):
        with pytest.raises(TimestampError):
            check(octets, message, roots)


@needs_openssl
def test_check_21_a_certificate_for_another_use_is_no_authority(tmp_path):
    """openssl will not sign with such a certificate, so its certificate is put in afterwards."""
    authority = Authority(tmp_path / "own")
    asked = question(b"m")
    reply = authority.reply(asked.octets)
    good = x509.load_pem_x509_certificate((authority.folder / "tsa.pem").read_bytes())
    key = serialization.load_pem_private_key((authority.folder / "tsa.key").read_bytes(), None)
    wrong = certificate("TSA", key, None, key, usage=ExtendedKeyUsageOID.SERVER_AUTH)
    changed = reply.replace(
        good.public_bytes(serialization.Encoding.DER), wrong.public_bytes(serialization.Encoding.DER)
    )
    assert changed != reply
    with pytest.raises(TimestampError):
        check(changed, b"m", load_roots(authority.roots))


@needs_openssl
def test_check_21_a_timestamp_stays_valid_when_the_certificate_of_its_authority_has_ended(tmp_path):
    authority = Authority(tmp_path / "own", days=(-10, 2 / 86_400))
    asked = question(b"m")
    reply = authority.reply(asked.octets)
    own = x509.load_pem_x509_certificate((authority.folder / "tsa.pem").read_bytes())
    while dt.datetime.now(dt.UTC) <= own.not_valid_after_utc:
        time.sleep(0.2)
    assert check(reply, b"m", load_roots(authority.roots), nonce=asked.nonce)


@pytest.mark.parametrize("answer", [b"", b"<html>sorry</html>", b"\x30\x82" + b"\0" * 300, b"x" * 70_000])
def test_an_authority_that_answers_nonsense_is_asked_again_later_and_nothing_is_stored(
    log, authority, httpserver, answer, capsys
):
    log.write()
    httpserver.expect_request("/bad").respond_with_data(answer, content_type="application/timestamp-reply")
    words = (
        "log",
        "anchor",
        "--log",
        log.url,
        "--tsa",
        httpserver.url_for("/bad"),
        "--tsa-roots",
        str(authority.roots),
    )
    assert main([*words]) == ExitCode.TRY_LATER
    assert capsys.readouterr().err.startswith("sekisho: ")
    assert log.raw().execute("SELECT count(*) FROM anchor").fetchone() == (0,)
    assert verify(log).exit_code == ExitCode.DONE


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/tsa", "ftp://127.0.0.1/"])
def test_an_authority_that_cannot_be_reached_stops_nothing(log, authority, url):
    log.write()
    words = ("log", "anchor", "--log", log.url, "--tsa", url, "--tsa-roots", str(authority.roots))
    assert main([*words]) in {ExitCode.TRY_LATER, ExitCode.USAGE}
    log.write(run_id="run-2")


def test_a_redirect_of_an_authority_is_not_followed(log, authority, httpserver):
    log.write()
    httpserver.expect_request("/away").respond_with_data(
        "", status=302, headers={"Location": httpserver.url_for("/there")}
    )
    words = (
        "log",
        "anchor",
        "--log",
        log.url,
        "--tsa",
        httpserver.url_for("/away"),
        "--tsa-roots",
        str(authority.roots),
    )
    assert main([*words]) == ExitCode.TRY_LATER
    assert [request.path for request, _ in httpserver.log] == ["/away"]


@pytest.mark.parametrize("column", ["size", "kind", "name", "body", "ts_us", "id"])
def test_an_attestation_that_was_changed_is_found(log, authority, served, column):
    log.clock.now = int(dt.datetime.now(dt.UTC).timestamp() * 1e6)
    log.write()
    assert (
        main(["log", "anchor", "--log", log.url, "--tsa", served, "--tsa-roots", str(authority.roots)]) == 0
    )
    value = {
        "size": "3",
        "kind": "'other'",
        "name": "name",
        "body": "x'3000'",
        "ts_us": "ts_us + 1",
        "id": "2",
    }[column]
    log.unguarded().execute(f"UPDATE anchor SET {column} = {value}")
    report = verify(log, roots=load_roots(authority.roots))
    if column == "name":
        assert report.findings == (), "the address is a label; the certificate in the token is the name"
    else:
        assert {finding.problem for finding in report.findings} == {Problem.ANCHOR_WRONG}


# witnesses


class Witness:
    """A witness as its specification says, which keeps the newest head that it cosigned."""

    def __init__(self, name="witness.example"):
        self.key = Ed25519PrivateKey.generate()
        self.vkey = VerifierKey(name=name, type=COSIGNATURE, key=self.key.public_key().public_bytes_raw())
        self.size, self.root = 0, None
        self.asked = []

    def answer(self, request):
        head, _, text = request.data.decode().partition("\n\n")
        first, *proof = head.split("\n")
        old = int(first.removeprefix("old "))
        self.asked.append(old)
        note = parse_note(text.encode())
        new = parse_checkpoint(note)
        if old != self.size:
            return Response(f"{self.size}\n", status=409, content_type="text/x.tlog.size")
        hashes_ = [base64.b64decode(line) for line in proof if line]
        if old and not verify_consistency(
            old_size=old, old_root=self.root, size=new.size, root=new.root, proof=hashes_
        ):
            return Response("", status=422)
        self.size, self.root = new.size, new.root
        stamp = 1_795_000_000
        octets = self.key.sign(f"cosignature/v1\ntime {stamp}\n".encode() + note.text.encode())
        line = Signature(name=self.vkey.name, id=self.vkey.id, octets=stamp.to_bytes(8, "big") + octets).line
        return Response(line, content_type="text/plain")


@pytest.fixture
def witness(httpserver):
    one = Witness()
    httpserver.expect_request("/w/add-checkpoint", method="POST").respond_with_handler(one.answer)
    return one


def ask(log, httpserver, key):
    return main(["log", "anchor", "--log", log.url, "--witness", httpserver.url_for("/w"), str(key)])


def test_a_witness_cosigns_each_checkpoint_that_extends_the_last(log, httpserver, witness):
    for number in range(3):
        log.write(run_id=f"run-{number}")
        assert ask(log, httpserver, witness.vkey) == 0
    assert witness.size == 8
    assert witness.asked == [0, 4, 6]
    report = verify(log, witnesses=[witness.vkey])
    assert report.findings == ()
    assert any("3 attestations by others hold" in note for note in report.notes)


def test_a_witness_that_knows_more_of_the_log_than_we_do_gets_the_proof_from_there(log, httpserver, witness):
    log.write()
    assert ask(log, httpserver, witness.vkey) == 0
    log.unguarded().execute("DELETE FROM anchor")
    log.write(run_id="run-2")
    assert ask(log, httpserver, witness.vkey) == 0
    assert witness.asked == [0, 0, 4]


def test_a_witness_exposes_a_rolled_back_log(log, httpserver, witness, capsys):
    log.write()
    copy = log.path.read_bytes()
    log.write(run_id="run-2")
    assert ask(log, httpserver, witness.vkey) == 0
    log.path.write_bytes(copy)
    assert ask(log, httpserver, witness.vkey) == ExitCode.TRY_LATER
    assert "the log was rolled back" in capsys.readouterr().err


def test_the_cosignature_of_a_stranger_is_refused(log, httpserver, witness, capsys):
    log.write()
    assert ask(log, httpserver, Witness().vkey) == ExitCode.TRY_LATER
    assert "answered nonsense" in capsys.readouterr().err
    with log.reader() as reader:
        (leaf,) = reader.leaves({"key_add"})
    assert ask(log, httpserver, parse_vkey(leaf.event.vkey)) == ExitCode.USAGE, "no key of a witness"


@pytest.mark.parametrize("status", [400, 403, 404, 422, 500])
def test_a_witness_that_refuses_says_why_and_stops_nothing(log, httpserver, status, capsys):
    log.write()
    httpserver.expect_request("/w/add-checkpoint").respond_with_data("", status=status)
    assert ask(log, httpserver, Witness().vkey) == ExitCode.TRY_LATER
    assert "did not cosign" in capsys.readouterr().err
    log.write(run_id="run-2")
