"""Forged timestamps and cosignatures in packages of both encodings: nobody attests what they never saw.

Acceptance check 21, for packages. Every forgery is put into an otherwise intact package whose manifest and
sums fit it again, because attestations are covered by nothing but themselves. Tokens are taken apart and put
together again here: what signs nothing can be exchanged in them by anybody (CVE-2025-52556).
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import time
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID

from blocklists.errors import ExitCode
from crawler.decisionlog import anchors
from crawler.decisionlog.cosignatures import subtree_message
from crawler.decisionlog.findings import Problem
from crawler.decisionlog.notes import (
    COSIGNATURE,
    ED25519,
    MLDSA44_COSIGNATURE,
    Note,
    Signature,
    VerifierKey,
    parse_checkpoint,
)
from crawler.decisionlog.package.layout import Encoding
from crawler.decisionlog.package.verify import verify_package
from crawler.decisionlog.timestamps import question
from crawler.decisionlog.verify_text import verify_output
from policies.console import OutputFormat
from tests.crawler.decisionlog.conftest import Log
from tests.crawler.decisionlog.package.conftest import Packages
from tests.crawler.decisionlog.test_anchors import Authority, certificate, needs_openssl

pytestmark = needs_openssl
STAMP = 1_795_000_000
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER


def rsa_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


# DER, as far as tokens need it: a node is its tag and either octets or nodes


def parsed(octets):
    nodes, at = [], 0
    while at < len(octets):
        tag, length, start = octets[at], octets[at + 1], at + 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(octets[at + 2 : start], "big")
        at = start + length
        nodes.append([tag, parsed(octets[start:at]) if tag & 0x20 else octets[start:at]])
    return nodes


def packed(nodes):
    return b"".join(_packed(tag, packed(inner) if isinstance(inner, list) else inner) for tag, inner in nodes)


def _packed(tag, octets):
    length = len(octets)
    if length < 0x80:
        return bytes((tag, length)) + octets
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + octets


class Token:
    """A reply of an authority, taken apart."""

    def __init__(self, reply):
        self.nodes = parsed(reply)
        self.status = self.nodes[0][1][0][1]
        self.signed_data = self.nodes[0][1][1][1][1][1][0][1]
        self.certificates = next(node for node in self.signed_data if node[0] == 0xA0)
        self.signer = self.signed_data[-1][1][0][1]
        self.attributes = next(node for node in self.signer if node[0] == 0xA0)

    @property
    def octets(self):
        return packed(self.nodes)

    def carry(self, *certificates):
        """Hold these certificates, in the order that DER wants of a set."""
        nodes = [node for octets in certificates for node in parsed(octets)]
        self.certificates[1] = sorted(nodes, key=lambda node: packed([node]))

    def say(self, old, new):
        """Replace octets of what was signed, wherever they stand."""
        content = self.signed_data[2]
        content[1] = parsed(packed(content[1]).replace(old, new))

    def digest(self):
        """Make the digest of the content fit it again."""
        content = self.signed_data[2][1][1][1][0][1]
        for _, (kind, (_, values)) in self.attributes[1]:
            if kind[1] == bytes.fromhex("2a864886f70d010904"):
                values[0][1] = sha256(content).digest()

    def sign(self, key, certificate):
        """Sign anew, as the owner of this certificate."""
        serial, _, issuer = parsed(certificate.public_bytes(DER))[0][1][0][1][1:4]
        self.signer[1] = [0x30, [issuer, serial]]
        octets = key.sign(_packed(0x31, packed(self.attributes[1])), padding.PKCS1v15(), hashes.SHA256())
        next(node for node in self.signer if node[0] == 0x04)[1] = octets


class OwnAuthority(Authority):
    """An authority whose root makes more certificates when we ask for them."""

    def __init__(self, folder, **options):
        super().__init__(folder)
        self.root_key, self.key = rsa_key(), rsa_key()
        self.root = certificate("Root", self.root_key, None, self.root_key, authority=True)
        self.own = certificate("TSA", self.key, self.root.subject, self.root_key, **options)
        secret = self.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (folder / "root.pem").write_bytes(self.root.public_bytes(PEM))
        (folder / "tsa.pem").write_bytes(self.own.public_bytes(PEM))
        (folder / "tsa.key").write_bytes(secret)

    def token(self, message):
        return self.reply(question(message).octets)


class Witness:
    """Cosigns whatever it is shown, with a key of either type."""

    def __init__(self, name, kind=COSIGNATURE):
        self.key = Ed25519PrivateKey.generate() if kind == COSIGNATURE else mldsa.MLDSA44PrivateKey.generate()
        public = self.key.public_key().public_bytes_raw()
        self.vkey = VerifierKey(name=name, type=kind, key=public)

    def octets(self, text, stamp):
        if self.vkey.type == COSIGNATURE:
            return self.key.sign(f"cosignature/v1\ntime {stamp}\n".encode() + text.encode())
        head = parse_checkpoint(Note(text=text, signatures=()))
        return self.key.sign(
            subtree_message(
                cosigner=self.vkey.name, time_s=stamp, origin=head.origin, end=head.size, root=head.root
            )
        )

    def line(self, note, stamp=STAMP, *, said=None, octets=None):
        octets = self.octets(note.text, stamp) if octets is None else octets
        said = (stamp if said is None else said).to_bytes(8, "big")
        return Signature(name=self.vkey.name, id=self.vkey.id, octets=said + octets).line


class World:
    """A log with two checkpoints, each attested by an authority and by two witnesses."""

    def __init__(self, folder):
        self.folder = folder
        self.log = Log(folder)
        self.packages = Packages(self.log, folder)
        self.authority = OwnAuthority(folder / "tsa")
        self.witness = Witness("witness.example")
        self.newer = Witness("newer.example", MLDSA44_COSIGNATURE)
        self.notes, self.tokens = [], []
        self.log.clock.now = int(time.time() * 1e6)
        for run in ("run-1", "run-2"):
            self.log.write(run_id=run)
            self.attest()
        self.made = {encoding: self.packages.make(encoding) for encoding in Encoding}

    def attest(self):
        with self.log.reader() as reader:
            note = anchors.newest_note(reader)
            self.notes.append(note)
            self.tokens.append(self.authority.token(str(note).encode()))
            given = [
                (anchors.RFC3161, "https://tsa.example/", self.time_of(self.tokens[-1]), self.tokens[-1])
            ]
            for one in (self.witness, self.newer):
                line = one.line(note).encode()
                given.append((anchors.COSIGNATURE, str(one.vkey), STAMP * 10**6, line))
            size = parse_checkpoint(note).size
            for kind, name, time_us, body in given:
                attested = anchors.Attested(kind=kind, name=name, size=size, time_us=time_us, body=body)
                anchors.keep(reader.path, attested)

    def time_of(self, reply):
        from rfc3161_client import decode_timestamp_response

        return int(decode_timestamp_response(reply).tst_info.gen_time.timestamp() * 1_000_000)

    @property
    def root(self):
        return self.authority.root

    def own_certificate(self):
        return self.authority.own.public_bytes(DER)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("attested"))


@pytest.fixture(params=list(Encoding), ids=str)
def package(world, request, tmp_path):
    target = tmp_path / "package"
    shutil.copytree(world.made[request.param], target)
    return target


@pytest.fixture
def verified(world, package, repair):
    """Verify the package with attestation `number` changed as given."""

    def verify(number=None, roots=None, **change):
        path = package / "anchors.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        if number is not None:
            rows[number] |= {name: value.hex() if name == "body" else value for name, value in change.items()}
        path.write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows))
        repair(package)
        return verify_package(
            package,
            known=[world.packages.kept],
            roots=[world.root] if roots is None else roots,
            witnesses=[world.witness.vkey, world.newer.vkey],
        )

    return verify


def assert_found(report):
    assert {finding.problem for finding in report.findings} == {Problem.ANCHOR_WRONG}
    assert report.findings_total == 1
    assert report.attested == 5, "the others hold"
    assert report.exit_code == ExitCode.TAMPERED


def test_the_attestations_that_nobody_touched_hold_in_both_encodings(verified):
    report = verified()
    assert (report.findings, report.attested, report.attested_unchecked) == ((), 6, 0)
    assert report.exit_code == ExitCode.DONE


# RFC 3161


def wrong_imprint(world):
    """The authority did stamp something, and something else."""
    return world.authority.token(b"another message")


def of_another_checkpoint(world):
    return world.tokens[1]


def imprint_exchanged(world):
    """CVE-2025-52556: the chain is good, and what it signed was exchanged."""
    token = Token(world.authority.token(b"another message"))
    token.say(sha256(b"another message").digest(), sha256(str(world.notes[0]).encode()).digest())
    return token.octets


def imprint_and_digest_exchanged(world):
    token = Token(world.authority.token(b"another message"))
    token.say(sha256(b"another message").digest(), sha256(str(world.notes[0]).encode()).digest())
    token.digest()
    return token.octets


def an_earlier_time(world):
    token = Token(world.tokens[0])
    stamp = dt.datetime.fromtimestamp(world.time_of(world.tokens[0]) / 1e6, dt.UTC)
    old = (stamp - dt.timedelta(seconds=60)).strftime("%Y%m%d%H%M%SZ").encode()
    token.say(stamp.strftime("%Y%m%d%H%M%SZ").encode(), old)
    token.digest()
    return token.octets


def signed_by_a_stranger_under_the_true_certificate(world):
    token = Token(world.tokens[0])
    token.sign(rsa_key(), world.authority.own)
    return token.octets


def self_made_chain(world):
    key = rsa_key()
    own = certificate("TSA", key, None, key)
    token = Token(world.tokens[0])
    token.carry(own.public_bytes(DER))
    token.sign(key, own)
    return token.octets


def self_made_chain_beside_the_true_one(world):
    key = rsa_key()
    own = certificate("TSA", key, world.root.subject, key)
    token = Token(world.tokens[0])
    token.carry(own.public_bytes(DER), world.own_certificate(), world.root.public_bytes(DER))
    token.sign(key, own)
    return token.octets


def certified_by_the_root(world, **options):
    """Another certificate of the trusted root, with its key, signs the true content."""
    key = rsa_key()
    own = certificate("Other", key, world.root.subject, world.authority.root_key, **options)
    return key, own


def for_servers(world):
    key, own = certified_by_the_root(world, usage=ExtendedKeyUsageOID.SERVER_AUTH)
    token = Token(world.tokens[0])
    token.carry(own.public_bytes(DER))
    token.sign(key, own)
    return token.octets


def for_timestamps_and_not_critical(world):
    key, own = certified_by_the_root(world, critical=False)
    token = Token(world.tokens[0])
    token.carry(own.public_bytes(DER))
    token.sign(key, own)
    return token.octets


def for_servers_beside_one_for_timestamps(world):
    key, own = certified_by_the_root(world, usage=ExtendedKeyUsageOID.SERVER_AUTH)
    token = Token(world.tokens[0])
    token.carry(own.public_bytes(DER), world.own_certificate())
    token.sign(key, own)
    return token.octets


def ended_before_the_timestamp(world):
    key, own = certified_by_the_root(world, days=(-9, -8))
    token = Token(world.tokens[0])
    token.carry(own.public_bytes(DER))
    token.sign(key, own)
    return token.octets


def no_certificate(world):
    token = Token(world.tokens[0])
    token.carry()
    return token.octets


def no_signer(world):
    token = Token(world.tokens[0])
    token.signed_data[-1][1] = []
    return token.octets


def refused_by_the_authority(world):
    token = Token(world.tokens[0])
    token.status[0][1] = b"\x02"
    return token.octets


def no_certificate_at_all_beside_the_true_one(world):
    token = Token(world.tokens[0])
    broken = parsed(world.own_certificate())
    broken[0][1][0][1][0] = [0xA0, [[0x02, b"\x09"]]]
    token.carry(world.own_certificate(), packed(broken))
    return token.octets


def cut_off(world):
    return world.tokens[0][:-1]


def too_long(world):
    return world.tokens[0] + b"\0"


@pytest.mark.parametrize(
    "forge",
    [
        wrong_imprint, of_another_checkpoint, imprint_exchanged, imprint_and_digest_exchanged, an_earlier_time,
        signed_by_a_stranger_under_the_true_certificate, self_made_chain, self_made_chain_beside_the_true_one,
        for_servers, for_timestamps_and_not_critical, for_servers_beside_one_for_timestamps,
        ended_before_the_timestamp, no_certificate, no_signer, refused_by_the_authority,
        no_certificate_at_all_beside_the_true_one, cut_off, too_long,
    ],
)  # fmt: skip
def test_check_21_a_forged_timestamp_in_a_package_is_found(world, verified, forge):
    assert_found(verified(0, body=forge(world)))


def test_check_21_a_certificate_of_the_same_root_for_timestamps_is_another_lawful_authority(world, verified):
    """So that what the tests above refuse is refused for what they say, and not for how they are made."""
    key, own = certified_by_the_root(world)
    token = Token(world.tokens[0])
    token.carry(own.public_bytes(DER))
    token.sign(key, own)
    assert verified(0, body=token.octets).findings == ()


def test_check_21_roots_of_others_make_every_timestamp_a_finding_and_no_roots_none(world, verified, tmp_path):
    report = verified(roots=[OwnAuthority(tmp_path / "stranger").root])
    assert [finding.problem for finding in report.findings] == [Problem.ANCHOR_WRONG] * 2
    report = verified(roots=[])
    assert (report.findings, report.attested, report.attested_unchecked) == ((), 4, 2)


def test_check_21_a_timestamp_holds_when_its_certificate_has_ended(world, verified, tmp_path):
    authority = OwnAuthority(tmp_path / "brief", days=(-10, 2 / 86_400))
    reply = authority.token(str(world.notes[0]).encode())
    while dt.datetime.now(dt.UTC) <= authority.own.not_valid_after_utc:
        time.sleep(0.2)
    report = verified(0, body=reply, ts_us=world.time_of(reply), roots=[world.root, authority.root])
    assert (report.findings, report.attested) == ((), 6)


def test_check_21_certificates_that_are_none_decide_nothing_whatever_their_order(world, verified):
    """Nothing signs the certificates of a token: anybody can add some, and none ends a verification."""
    strange = parsed(world.own_certificate())
    extensions = next(node for node in strange[0][1][0][1] if node[0] == 0xA3)[1][0][1]
    extensions.append(extensions[0])
    strange[0][1][0][1][1] = [0x02, b"\x07"]
    token = Token(world.tokens[0])
    token.carry(world.own_certificate(), packed(strange))
    assert verified(0, body=token.octets).findings == ()
    twin = parsed(world.own_certificate())
    twin[0][1][2][1] = b"\0" + bytes(256)
    token.carry(world.own_certificate(), packed(twin))
    assert_found(verified(0, body=token.octets))


def test_check_21_no_flipped_bit_of_a_token_gives_another_time_or_a_crash(world, verified):
    whole = world.tokens[0]
    found = 0
    for at in range(3, len(whole), 131):
        changed = bytearray(whole)
        changed[at] ^= 1 << at % 8
        report = verified(0, body=bytes(changed))
        if report.findings:
            assert_found(report)
            found += 1
    assert found > 5


# Cosignatures: 0x04 of the one witness, 0x06 of the other


def of_the_other_checkpoint(_, witness, notes):
    return witness.line(notes[1])


def another_time(_, witness, notes):
    return witness.line(notes[0], said=STAMP + 1)


def another_origin(_, witness, notes):
    text = notes[0].text.replace("\n", "x\n", 1)
    return witness.line(Note(text=text, signatures=()))


def another_root(_, witness, notes):
    origin, size, _, _ = notes[0].text.split("\n")
    root = notes[1].text.split("\n")[2]
    text = f"{origin}\n{size}\n{root}\n"
    return witness.line(notes[0], octets=witness.octets(text, STAMP))


def another_size(_, witness, notes):
    origin, size, root, _ = notes[0].text.split("\n")
    text = f"{origin}\n{int(size) + 1}\n{root}\n"
    return witness.line(notes[0], octets=witness.octets(text, STAMP))


def a_stranger_under_the_name_and_id(_, witness, notes):
    stranger = Witness(witness.vkey.name, witness.vkey.type)
    return witness.line(notes[0], octets=stranger.octets(notes[0].text, STAMP))


def a_stranger(_, witness, notes):
    return Witness(witness.vkey.name, witness.vkey.type).line(notes[0])


def nobody(*_):
    return ""


def no_time(_, witness, notes):
    octets = witness.octets(notes[0].text, STAMP)
    return Signature(name=witness.vkey.name, id=witness.vkey.id, octets=octets).line


def signed_as_a_log_signs(world, _, notes):
    """The key of the witness signed the note itself: a witness that is also a log has two keys, not one."""
    key = world.witness.key
    octets = STAMP.to_bytes(8, "big") + key.sign(notes[0].text.encode())
    return Signature(name=world.witness.vkey.name, id=world.witness.vkey.id, octets=octets).line


def of_the_other_type(world, witness, notes):
    other = world.newer if witness is world.witness else world.witness
    return witness.line(notes[0], octets=other.octets(notes[0].text, STAMP))


def in_another_note(_, witness, notes):
    """The line brings a text of its own along, and an empty line that makes a note of it."""
    return "more\n\n" + witness.line(notes[0])


def a_wrong_one_behind_the_true_one(_, witness, notes):
    return witness.line(notes[0]) + witness.line(notes[0], said=STAMP + 1)


def base64_of_other_letters(_, witness, notes):
    line = witness.line(notes[0])
    return line.replace("+", "-").replace("/", "_") + " "


def with_a_carriage_return(_, witness, notes):
    return witness.line(notes[0]).replace("\n", "\r\n")


def with_a_name_that_looks_the_same(_, witness, notes):
    return witness.line(notes[0]).replace("example", "ex\u0430mple")


def with_no_break_space(_, witness, notes):
    return witness.line(notes[0]).replace(" ", "\u00a0")


def more_lines_than_are_read(_, witness, notes):
    return witness.line(notes[0]) * 2000


FORGED_COSIGNATURES = [
    of_the_other_checkpoint, another_time, another_origin, another_root, another_size, a_stranger,
    a_stranger_under_the_name_and_id, nobody, no_time, signed_as_a_log_signs, of_the_other_type,
    in_another_note, a_wrong_one_behind_the_true_one, base64_of_other_letters, with_a_carriage_return,
    with_a_name_that_looks_the_same, with_no_break_space, more_lines_than_are_read,
]  # fmt: skip


@pytest.mark.parametrize("number", [1, 2], ids=["ed25519", "ml-dsa-44"])
@pytest.mark.parametrize("forge", FORGED_COSIGNATURES)
def test_a_forged_cosignature_in_a_package_is_found(world, verified, forge, number):
    witness = (world.witness, world.newer)[number - 1]
    assert_found(verified(number, body=forge(world, witness, world.notes).encode()))


@pytest.mark.parametrize("number", [1, 2], ids=["ed25519", "ml-dsa-44"])
def test_a_cosignature_that_was_given_to_another_witness_is_found(world, verified, number):
    other = str((world.newer, world.witness)[number - 1].vkey)
    assert_found(verified(number, name=other))


def test_a_cosignature_under_a_name_of_nobody_that_is_trusted_is_not_counted_as_held(world, verified):
    report = verified(1, name=str(Witness("witness.example").vkey))
    assert (report.findings, report.attested, report.attested_unchecked) == ((), 5, 1)


def test_a_timestamp_called_a_cosignature_and_a_cosignature_called_a_timestamp_are_found(world, verified):
    assert_found(verified(0, kind=anchors.COSIGNATURE, name=str(world.witness.vkey)))


def test_a_cosignature_called_a_timestamp_is_found(verified):
    assert_found(verified(1, kind=anchors.RFC3161))


def test_a_key_that_signs_logs_is_no_witness(world, package):
    """Given as a witness's by mistake, it makes nothing hold."""
    key = VerifierKey(name="witness.example", type=ED25519, key=world.witness.vkey.key)
    report = verify_package(package, known=[world.packages.kept], witnesses=[key])
    assert (report.attested, report.attested_unchecked) == (0, 6)


@pytest.mark.parametrize("stamp", [0, 2**40, 2**62, 2**63 - 1])
def test_a_witness_that_is_trusted_and_says_an_impossible_time_ends_no_verification(
    world, package, verified, stamp
):
    line = world.newer.line(world.notes[1], stamp)
    report = verified(5, body=line.encode(), ts_us=stamp * 10**6)
    assert report.exit_code in {ExitCode.DONE, ExitCode.TAMPERED}
    assert verify_output(package, report, OutputFormat.TABLE)
