"""An ML-DSA-44 cosignature is of one checkpoint, by one key, at one time; anything else is none."""

from __future__ import annotations

import base64
import sys
from dataclasses import replace
from hashlib import sha256

import pytest
from cosigners import ED25519, KINDS, MLDSA44, STAMP, Cosigner, mldsa44_message
from cryptography.hazmat.backends.openssl.backend import backend
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists.errors import ExitCode
from crawler.decisionlog.cosignatures import subtree_message
from crawler.decisionlog.errors import UnverifiableError
from crawler.decisionlog.notes import (
    LONGEST_NOTE,
    Checkpoint,
    NoteError,
    VerifierKey,
    cosigned_at,
    parse_note,
    parse_vkey,
    sign,
    signers,
    verifier_key,
)

ORIGIN = "log.example/a"
HEAD = Checkpoint(origin=ORIGIN, size=300, root=bytes(range(32)))
LOG = Ed25519PrivateKey.generate()
WITNESS = Cosigner()
GOOD = WITNESS.octets(HEAD.text)
LONG = "a" * 256


def note_of(*lines, head=HEAD):
    """The checkpoint, signed by the log, with these lines behind."""
    return parse_note(f"{sign(head.text, head.origin, LOG)}{''.join(lines)}".encode())


def test_the_signed_message_has_each_octet_where_the_specification_puts_it():
    golden = bytes.fromhex(
        "73756274726565" "2f7631" "0a00"  # subtree/v1, a line end, a zero: twelve octets
        "09" "772e6578616d706c65"  # nine octets: w.example
        "000000006afd9dc0"  # seconds
        "0d" "6c6f672e6578616d706c652f61"  # thirteen octets: log.example/a
        "0000000000000000" "000000000000012c"  # from leaf 0 to leaf 300
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    )  # fmt: skip
    assert len(golden) == 12 + 1 + 9 + 8 + 1 + 13 + 8 + 8 + 32
    built = subtree_message(
        cosigner="w.example", time_s=0x6AFD9DC0, origin=ORIGIN, end=300, root=bytes(range(32))
    )
    assert built == golden
    assert mldsa44_message("w.example", 0x6AFD9DC0, ORIGIN, 300, bytes(range(32))) == golden


def test_a_key_and_its_signature_have_the_octets_of_the_specification():
    key = parse_vkey(WITNESS.text)
    assert (key.type, len(key.key), len(GOOD)) == (MLDSA44, 1312, 8 + 2420)
    assert key.id == sha256(b"witness.example\n\x06" + key.key).digest()[:4]
    assert str(key) == WITNESS.text
    assert key.short == f"witness.example+{key.id.hex()}"


def test_a_cosignature_holds_and_says_its_time():
    note = note_of(WITNESS.line(HEAD.text))
    assert signers(note, [WITNESS.vkey]) == (WITNESS.vkey,)
    assert cosigned_at(note.signatures[-1]) == STAMP


def test_a_note_with_both_kinds_holds_for_each_and_for_both_and_the_log():
    old = Cosigner(kind=ED25519)
    note = note_of(old.line(HEAD.text), WITNESS.line(HEAD.text))
    ours = verifier_key(ORIGIN, LOG)
    for keys in ([ours], [old.vkey], [WITNESS.vkey], [ours, old.vkey, WITNESS.vkey]):
        assert signers(note, keys) == tuple(keys)


OTHER_HEADS = {
    "origin": replace(HEAD, origin="log.example/b"),
    "longer origin": replace(HEAD, origin=LONG),
    "size": replace(HEAD, size=301),
    "root": replace(HEAD, root=bytes(32)),
}


@pytest.mark.parametrize("head", OTHER_HEADS.values(), ids=OTHER_HEADS)
def test_a_cosignature_of_another_checkpoint_rejects_the_note(head):
    note = note_of(WITNESS.line(HEAD.text), head=head)
    for keys in ([WITNESS.vkey], [verifier_key(head.origin, LOG), WITNESS.vkey]):
        with pytest.raises(NoteError, match="is wrong"):
            signers(note, keys)


BAD = {
    "time changed": (STAMP + 1).to_bytes(8, "big") + GOOD[8:],
    "truncated": GOOD[:-1],
    "extended": GOOD + b"\x00",
    "time alone": GOOD[:8],
    "less than a time": GOOD[:3],
    "without its time": GOOD[8:],
    "zeros": bytes(2428),
    "beyond the last second": WITNESS.octets(HEAD.text, 2**63),
    "as late as can be": WITNESS.octets(HEAD.text, 2**64 - 1),
    "an Ed25519 cosignature": Cosigner(kind=ED25519).octets(HEAD.text),
    "by another key": Cosigner().octets(HEAD.text),
    "under another name": Cosigner("witness.example.").octets(HEAD.text),
}


@pytest.mark.parametrize("octets", BAD.values(), ids=BAD)
def test_a_bad_signature_of_a_known_pair_rejects_the_note_also_beside_a_good_one(octets):
    good, bad = WITNESS.line(HEAD.text), WITNESS.written(octets)
    for lines in ((bad,), (good, bad), (bad, good)):
        with pytest.raises(NoteError, match="is wrong"):
            signers(note_of(*lines), [WITNESS.vkey, verifier_key(ORIGIN, LOG)])


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_last_second_that_can_be_written_is_one_and_the_next_is_none(kind):
    witness = Cosigner(kind=kind)
    note = note_of(witness.line(HEAD.text, 2**63 - 1))
    assert signers(note, [witness.vkey]) == (witness.vkey,)
    assert cosigned_at(note.signatures[-1]) == 2**63 - 1
    with pytest.raises(NoteError, match="is wrong"):
        signers(note_of(witness.line(HEAD.text, 2**63)), [witness.vkey])


@given(st.integers(0, len(GOOD) * 8 - 1))
@settings(max_examples=60, deadline=None)
def test_no_bit_of_a_cosignature_can_be_changed(bit):
    octets = bytearray(GOOD)
    octets[bit // 8] ^= 1 << bit % 8
    with pytest.raises(NoteError, match="is wrong"):
        signers(note_of(WITNESS.written(bytes(octets))), [WITNESS.vkey])


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters="+"), min_size=1)
SHORT = NAMES.filter(lambda name: len(name.encode()) <= 255)


@given(
    SHORT, SHORT, st.integers(0, 2**63 - 1), st.integers(0, 10**19 - 1), st.binary(min_size=32, max_size=32)
)
@settings(max_examples=25, deadline=None)
def test_whatever_a_witness_of_any_name_signs_of_any_log_holds(name, origin, stamp, size, root):
    witness = Cosigner(name)
    head = Checkpoint(origin=origin, size=size, root=root)
    assert signers(note_of(witness.line(head.text, stamp), head=head), [witness.vkey]) == (witness.vkey,)


@pytest.mark.parametrize(
    "wrong",
    [
        {"cosigner": ""}, {"cosigner": LONG}, {"origin": ""}, {"origin": "\u3042" * 86}, {"time_s": -1},
        {"time_s": 2**63}, {"end": -1}, {"end": 2**64}, {"start": 301, "time_s": 0}, {"start": 1},
        {"root": bytes(31)}, {"root": bytes(33)},
    ],
)  # fmt: skip
def test_what_the_structure_cannot_hold_is_not_put_into_it(wrong):
    fields = {"cosigner": "w.example", "time_s": 1, "origin": ORIGIN, "end": 300, "root": bytes(32)}
    with pytest.raises(ValueError, match=r"cosignature|leaves|name"):
        subtree_message(**fields | wrong)
    assert subtree_message(**fields | {"start": 200, "time_s": 0}), "a subtree without a time can be signed"


def test_lines_of_pairs_that_are_not_known_are_ignored_and_alone_they_are_nothing():
    same_name = WITNESS.written(GOOD, key_id=b"\x01\x02\x03\x04")
    same_id = WITNESS.written(GOOD, name="elsewhere.example")
    stranger = Cosigner("stranger.example").line(HEAD.text)
    nonsense = WITNESS.written(bytes(2428), key_id=b"\x01\x02\x03\x04")
    unknown = (same_name, same_id, stranger, nonsense)
    with pytest.raises(NoteError, match="no known key signed it"):
        signers(parse_note(f"{HEAD.text}\n{''.join(unknown)}".encode()), [WITNESS.vkey])
    note = note_of(*unknown, WITNESS.line(HEAD.text))
    assert signers(note, [WITNESS.vkey]) == (WITNESS.vkey,)
    ours = verifier_key(ORIGIN, LOG)
    assert signers(note_of(*unknown), [ours]) == (ours,), "a log's own checkpoint stays what it was"


def test_a_key_of_one_type_is_not_the_key_of_a_line_of_the_other():
    old = Cosigner(kind=ED25519)
    for has, asks in ((WITNESS, old), (old, WITNESS)):
        with pytest.raises(NoteError, match="no known key signed it"):
            signers(note_of(has.line(HEAD.text)), [asks.vkey])
        forged = note_of(asks.written(has.octets(HEAD.text)))  # under the name and ID of the other
        with pytest.raises(NoteError, match="is wrong"):
            signers(forged, [asks.vkey])


def test_an_ed25519_signature_of_what_ml_dsa_signs_is_none_and_the_reverse():
    old = Cosigner(kind=ED25519)
    message = mldsa44_message(old.name, STAMP, HEAD.origin, HEAD.size, HEAD.root)
    forged = STAMP.to_bytes(8, "big") + old.private.sign(message)
    with pytest.raises(NoteError, match="is wrong"):
        signers(note_of(old.written(forged)), [old.vkey])
    text = f"cosignature/v1\ntime {STAMP}\n{HEAD.text}".encode()
    forged = STAMP.to_bytes(8, "big") + WITNESS.private.sign(text)
    with pytest.raises(NoteError, match="is wrong"):
        signers(note_of(WITNESS.written(forged)), [WITNESS.vkey])
    forged = STAMP.to_bytes(8, "big") + WITNESS.private.sign(
        mldsa44_message(WITNESS.name, STAMP, HEAD.origin, HEAD.size, HEAD.root), b"context"
    )
    with pytest.raises(NoteError, match="is wrong"):
        signers(note_of(WITNESS.written(forged)), [WITNESS.vkey])


@pytest.mark.parametrize("more", ["extension\n", "\n", "extension\n\nmore\n"])
def test_lines_that_ml_dsa_does_not_sign_cannot_be_slipped_under_its_cosignature(more):
    note = parse_note(f"{HEAD.text}{more}\n{WITNESS.line(HEAD.text)}".encode())
    with pytest.raises(NoteError):
        signers(note, [WITNESS.vkey])


def written(name, octets):
    key_id = sha256(name.encode() + b"\n" + octets).digest()[:4]
    return f"{name}+{key_id.hex()}+{base64.b64encode(octets).decode()}"


PUBLIC = WITNESS.public[1:]


@pytest.mark.parametrize(
    "text",
    [
        written("w.example", b"\x06" + PUBLIC[:-1]),
        written("w.example", b"\x06" + PUBLIC + b"\x00"),
        written("w.example", b"\x06" + bytes(32)),
        written("w.example", b"\x04" + PUBLIC),
        written("w.example", b"\x01" + PUBLIC),
        written("w.example", b"\x05" + PUBLIC),
        written("w.example", b"\x06"),
        written(LONG, b"\x06" + PUBLIC),
        written("\u3042" * 86, b"\x06" + PUBLIC),
        "w.example+00000000+",
        WITNESS.text.replace("+", "x+", 1),
        WITNESS.text[:-5],
    ],
)
def test_what_is_no_key_of_a_witness_is_refused_when_it_is_read(text):
    with pytest.raises(NoteError):
        parse_vkey(text)


def test_the_longest_name_that_can_be_signed_is_one():
    assert Cosigner("a" * 255).vkey.name == "a" * 255


def test_sixty_four_signatures_of_five_thousand_octets_are_read_and_no_more():
    note = sign(HEAD.text, ORIGIN, LOG)
    ours = verifier_key(ORIGIN, LOG)
    big = [WITNESS.written(bytes(5000), name=f"w{number}.example") for number in range(63)]
    assert signers(parse_note(f"{note}{''.join(big)}".encode()), [ours]) == (ours,)
    many = [Cosigner(f"w{number}.example") for number in range(16)]
    cosigned = note_of(*(one.line(HEAD.text) for one in many))
    assert len(signers(cosigned, [ours, *(one.vkey for one in many)])) == 17
    with pytest.raises(NoteError, match="65 signatures"):
        parse_note(f"{note}{''.join(big)}{big[0]}".encode())
    with pytest.raises(NoteError, match="too long"):
        parse_note(f"{note}{WITNESS.written(bytes(LONGEST_NOTE))}".encode())
    with pytest.raises(NoteError, match="too long"):
        parse_note(f"{'a' * 70_000}\n\n{big[0]}".encode())


@pytest.fixture(params=["an older cryptography", "an OpenSSL without it"])
def without_mldsa(request, monkeypatch):
    """A machine on which ML-DSA cannot be verified, in both ways in which that can be."""
    if request.param == "an older cryptography":
        monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.mldsa", None)
        monkeypatch.delattr("cryptography.hazmat.primitives.asymmetric.mldsa", raising=False)
    else:
        monkeypatch.setattr(backend, "mldsa_supported", lambda: False)


@pytest.mark.usefixtures("without_mldsa")
def test_where_ml_dsa_is_missing_nothing_of_it_is_good_and_nothing_is_forged():
    ours = verifier_key(ORIGIN, LOG)
    old = Cosigner(kind=ED25519)
    note = note_of(old.line(HEAD.text), WITNESS.written(GOOD))
    for keys in ([WITNESS.vkey], [ours, WITNESS.vkey], [WITNESS.vkey, old.vkey]):
        with pytest.raises(UnverifiableError, match="ML-DSA-44 cannot be verified here") as raised:
            signers(note, keys)
        assert raised.value.exit_code is ExitCode.UNVERIFIABLE
        assert not isinstance(raised.value, NoteError)
    assert signers(note, [ours, old.vkey]) == (ours, old.vkey), "what can be checked is"
    for octets in (GOOD[:-1], (2**63).to_bytes(8, "big") + GOOD[8:]):
        with pytest.raises(NoteError, match="is wrong"):  # no machine is needed to see that
            signers(note_of(WITNESS.written(octets)), [WITNESS.vkey])
    forged = note_of(WITNESS.written(GOOD), old.written(bytes(72)))
    with pytest.raises(NoteError, match="is wrong"):  # what cannot be checked hides nothing behind it
        signers(forged, [WITNESS.vkey, old.vkey])


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_key_that_is_none_signs_nothing(kind):
    key = VerifierKey(name="w.example", type=kind, key=bytes(7))
    line = WITNESS.written(GOOD if kind == MLDSA44 else bytes(72), name="w.example", key_id=key.id)
    with pytest.raises(NoteError, match="is wrong"):
        signers(note_of(line), [key])
