"""What we sign is read by a second reader written from the specification, and we read what others signed."""

from __future__ import annotations

import base64
import struct
from hashlib import sha256

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.decisionlog.notes import (
    Checkpoint,
    NoteError,
    Signature,
    parse_checkpoint,
    parse_note,
    parse_vkey,
    sign,
    signers,
    verifier_key,
)

# A checkpoint of Go's checksum database and its key, as published: another implementation signed it.
GO_KEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
GO_NOTE = (
    "go.sum database tree\n63096908\n8lHrQPRYe4KT4WQ9/Qk8/taKnD6IRHbFgfN7vQE2Y54=\n\n\u2014 sum.golang.org "
    "Az3gri/oVBN1jAhNZ/iS+W31psFAWRT20/GyrhpU6taFwulQGetBkH5S7wpGXdS935jiIGiUUAXBVHzT/P6fYhqAmAk=\n"
).encode()

# A checkpoint that we sign, and its key. These octets were read and verified by Go's golang.org/x/mod/sumdb/note
# (as of Go 1.27.3) and by github.com/transparency-dev/formats/log (0b850f1a): whoever changes what we sign has to
# show them to both again.
OUR_SEED = sha256(b"golden").digest()
OUR_KEY = "log.example/golden+a952f93a+AWbRRAv0fCP4Opd2LaNapYkdgHNJR9+6wve8FpSkYRaQ"
OUR_NOTE = (
    "log.example/golden\n1025\nSBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=\n\n\u2014 log.example/golden "
    "qVL5Osgn9txkZBJCZ2pcPg5clrNAJYi0E1F46kA/DMmdRLH6dK34O3zBNScic+vPYW0MHtjzvN3xXTTOQr78gYuSHA8=\n"
).encode()


class Second:
    """A reader of signed notes and checkpoints that shares nothing with ours but the specification.

    Works on octets from the end of the note, where ours works on text from its start.
    """

    def __init__(self, *vkeys):
        self.keys = {}
        for vkey in vkeys:
            name, hexid, key = vkey.encode().split(b"+", 2)
            octets = base64.standard_b64decode(key)
            assert sha256(name + b"\n" + octets).digest()[:4] == bytes.fromhex(hexid.decode())
            assert octets[:1] == b"\x01"
            self.keys[name, bytes.fromhex(hexid.decode())] = Ed25519PublicKey.from_public_bytes(octets[1:])

    def read(self, note):
        """Return origin, size and root. Raises ValueError, InvalidSignature."""
        note.decode("utf-8")
        if any(octet < 0x20 and octet != 0x0A for octet in note) or note[-1:] != b"\n":
            raise ValueError("octets")
        text, lines = note, []
        while True:
            head, _, line = text[:-1].rpartition(b"\n")
            text = head + b"\n"
            if not line:
                break
            if not head:
                raise ValueError("no empty line")
            lines.append(line)
        if not lines:
            raise ValueError("not signed")
        good = 0
        for line in lines:
            dash, name, blob = line.split(b" ")
            octets = base64.b64decode(blob, validate=True)
            if dash != b"\xe2\x80\x94" or not name or b"+" in name or len(octets) < 5:
                raise ValueError("line")
            (number,) = struct.unpack(">I", octets[:4])
            key = self.keys.get((name, struct.pack(">I", number)))
            if key is not None:
                key.verify(octets[4:], text)
                good += 1
        if not good:
            raise ValueError("no known key")
        origin, size, root = text[:-1].split(b"\n")
        if not size.isdigit() or str(int(size)).encode() != size or not origin:
            raise ValueError("size")
        tree = base64.b64decode(root, validate=True)
        if len(tree) != 32:
            raise ValueError("root")
        return origin.decode(), int(size), tree


@pytest.fixture
def kept(log):
    """The checkpoints of a log of two runs, as they are kept, and its key."""
    log.write()
    log.write(run_id="run-2")
    notes = [
        note.encode() for (note,) in log.raw().execute("SELECT note FROM checkpoint ORDER BY size").fetchall()
    ]
    with log.reader() as reader:
        (leaf,) = reader.leaves({"key_add"})
    return log, notes, leaf.event.vkey


def test_check_18_a_second_reader_verifies_what_we_sign_and_its_root_is_that_of_the_leaves(kept):
    log, notes, vkey = kept
    leaves = [
        sha256(b"\x00sekisho.registry\x00" + body).digest()
        for (body,) in log.raw().execute("SELECT body FROM registry ORDER BY idx")
    ]

    def root(hashes):
        if len(hashes) == 1:
            return hashes[0]
        half = 1 << ((len(hashes) - 1).bit_length() - 1)
        return sha256(b"\x01" + root(hashes[:half]) + root(hashes[half:])).digest()

    second = Second(vkey)
    assert len(notes) == 4
    for note in notes:
        origin, size, tree = second.read(note)
        assert origin == vkey.partition("+")[0]
        assert tree == root(leaves[:size])
    assert log.path.with_name("sekisho.db.checkpoint").read_bytes() == notes[-1]


def test_check_18_what_we_sign_is_to_the_octet_what_two_other_implementations_read():
    private = Ed25519PrivateKey.from_private_bytes(OUR_SEED)
    head = Checkpoint(origin="log.example/golden", size=1025, root=sha256(b"root").digest())
    assert str(verifier_key(head.origin, private)) == OUR_KEY
    assert str(sign(head.text, head.origin, private)).encode() == OUR_NOTE
    assert Second(OUR_KEY).read(OUR_NOTE) == (head.origin, head.size, head.root)


def test_check_18_we_verify_what_another_implementation_signed():
    note = parse_note(GO_NOTE)
    assert signers(note, [parse_vkey(GO_KEY)]) == (parse_vkey(GO_KEY),)
    head = parse_checkpoint(note)
    assert (head.origin, head.size) == ("go.sum database tree", 63_096_908)
    assert Second(GO_KEY).read(GO_NOTE) == (head.origin, head.size, head.root)
    assert str(note).encode() == GO_NOTE
    assert str(parse_vkey(GO_KEY)) == GO_KEY


@pytest.mark.parametrize("place", range(0, len(GO_NOTE), 7))
def test_check_18_one_octet_of_what_another_signed_changed_is_rejected(place):
    changed = GO_NOTE[:place] + bytes([GO_NOTE[place] ^ 1]) + GO_NOTE[place + 1 :]
    with pytest.raises(NoteError):
        signers(parse_note(changed), [parse_vkey(GO_KEY)])
    with pytest.raises((ValueError, InvalidSignature)):
        Second(GO_KEY).read(changed)


def strangers(note):
    """Signatures that are nobody's: another name, another ID, another key under our name, of any length."""
    ours = note.signatures[0]
    other = Ed25519PrivateKey.generate()
    return [
        Signature(name="elsewhere.example/log", id=ours.id, octets=ours.octets),
        Signature(name=ours.name, id=bytes(4), octets=ours.octets),
        sign(note.text, "elsewhere.example/log", other).signatures[0],
        sign(note.text, ours.name, other).signatures[0],
        Signature(name="post-quantum.example", id=b"\xff\xff\xff\xff", octets=bytes(4900)),
        Signature(name="short.example", id=b"\x00\x01\x02\x03", octets=b"x"),
    ]


def test_check_18_signatures_of_unknown_keys_are_ignored_and_alone_they_are_nothing(kept):
    _, notes, vkey = kept
    note, key = parse_note(notes[-1]), parse_vkey(vkey)
    unknown = strangers(note)
    for more in (unknown, unknown * 2):  # sixteen signatures at least must be read
        extended = parse_note(str(note.with_signatures(more)).encode())
        assert signers(extended, [key]) == (key,)
        assert parse_checkpoint(extended) == parse_checkpoint(note)
        assert Second(vkey).read(str(extended).encode())
    alone = parse_note((note.text + "\n" + "".join(one.line for one in unknown)).encode())
    with pytest.raises(NoteError, match="no known key signed it"):
        signers(alone, [key])
    with pytest.raises(ValueError, match="no known key"):
        Second(vkey).read(str(alone).encode())


def test_check_18_a_bad_signature_of_a_known_key_rejects_the_note_though_a_good_one_stands_beside_it(kept):
    _, notes, vkey = kept
    note, key = parse_note(notes[-1]), parse_vkey(vkey)
    good = note.signatures[0]
    for octets in (
        bytes([good.octets[0] ^ 1]) + good.octets[1:],
        good.octets[:-1],
        good.octets + b"\x00",
        bytes(64),
    ):
        bad = Signature(name=good.name, id=good.id, octets=octets)
        for order in ([good, bad], [bad, good], [bad]):
            text = note.text + "\n" + "".join(one.line for one in order)
            with pytest.raises(NoteError, match="is wrong"):
                signers(parse_note(text.encode()), [key])
            with pytest.raises((InvalidSignature, ValueError)):
                Second(vkey).read(text.encode())


LINE = "\u2014 a.example " + base64.b64encode(bytes(68)).decode() + "\n"


@pytest.mark.parametrize(
    "octets",
    [
        "a\n1\nx\n",
        "a\n1\nx\n\n",
        "\n\n" + LINE,
        "a\n" + LINE,
        "a\n\n" + LINE.removesuffix("\n"),
        "a\r\n\r\n" + LINE,
        "a\x00\n\n" + LINE,
        "a\n\n" + LINE.replace("\u2014", "-"),
        "a\n\n" + LINE.replace("\u2014 ", "\u2014"),
        "a\n\n" + LINE.replace("a.example", ""),
        "a\n\n" + LINE.replace("a.example", "a+b"),
        "a\n\n" + LINE.replace("a.example", "a\u2003b"),
        "a\n\n" + LINE.replace("=", ""),
        "a\n\n" + LINE.replace("AAAA", "AA*A", 1),
        "a\n\n\u2014 a.example AAAA\n",
        "a\n\n" + LINE * 65,
        "a" * 70_000 + "\n\n" + LINE,
    ],
)
def test_check_18_a_malformed_note_is_no_note(octets):
    with pytest.raises(NoteError):
        parse_note(octets.encode())


@pytest.mark.parametrize(
    "text",
    [
        "a\n1\n",
        "\n1\nR\n",
        "a\n01\nR\n",
        "a\n-1\nR\n",
        "a\n+1\nR\n",
        "a\n1 \nR\n",
        "a\n\u0661\nR\n",
        "a\n1_0\nR\n",
        "a\n99999999999999999999\nR\n",
        "a\n1\nR=\n",
        "a\n1\n\nR\n",
        "a\n1\nR\nmore\n",
        "a\n1\nAAAA\n",
    ],
)
def test_check_18_a_signed_text_that_is_no_checkpoint_is_none(text):
    root = base64.b64encode(bytes(32)).decode()
    key = Ed25519PrivateKey.generate()
    note = sign(text.replace("R", root), "a", key)
    with pytest.raises(NoteError):
        parse_checkpoint(parse_note(str(note).encode()))


@given(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters="+"), min_size=1, max_size=40
    ),
    st.integers(0, 2**62),
    st.binary(min_size=32, max_size=32),
)
@settings(max_examples=100)
def test_check_18_whatever_we_sign_the_second_reader_reads(name, size, root):
    private = Ed25519PrivateKey.generate()
    head = Checkpoint(origin=name, size=size, root=root)
    note = sign(head.text, name, private)
    assert Second(str(verifier_key(name, private))).read(str(note).encode()) == (name, size, root)
    assert parse_checkpoint(parse_note(str(note).encode())) == head
