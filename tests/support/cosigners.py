"""Witnesses of our own, of both kinds: they sign what the specification says, without a line of what is tested.

`Cosigner` signs any checkpoint that it is shown; `LoopbackWitness` serves `add-checkpoint` and cosigns only
what extends what it saw before.
"""

from __future__ import annotations

import base64
import struct
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from werkzeug import Response

from crawler.decisionlog.notes import parse_vkey
from crawler.decisionlog.tree import verify_consistency

ED25519, MLDSA44 = 0x04, 0x06
KINDS = {"ed25519": ED25519, "mldsa44": MLDSA44}
STAMP = 1_795_000_000


def mldsa44_message(name, stamp, origin, size, root):
    """What ML-DSA-44 signs of a checkpoint: each field after the other, as the specification lists them."""
    return b"".join(
        (
            b"subtree/v1", b"\x0a", b"\x00",
            struct.pack(">B", len(name.encode())), name.encode(),
            struct.pack(">Q", stamp),
            struct.pack(">B", len(origin.encode())), origin.encode(),
            struct.pack(">Q", 0), struct.pack(">Q", size), root,
        )
    )  # fmt: skip


class Cosigner:
    """Cosigns whatever it is shown."""

    def __init__(self, name="witness.example", kind=MLDSA44):
        self.name, self.kind = name, kind
        self.private = (Ed25519PrivateKey if kind == ED25519 else MLDSA44PrivateKey).generate()
        self.public = bytes((kind,)) + self.private.public_key().public_bytes_raw()
        self.id = sha256(name.encode() + b"\n" + self.public).digest()[:4]
        self.text = f"{name}+{self.id.hex()}+{base64.b64encode(self.public).decode()}"

    @property
    def vkey(self):
        return parse_vkey(self.text)

    def octets(self, text, stamp=STAMP):
        """The timestamped signature of a checkpoint's text."""
        if self.kind == ED25519:
            message = f"cosignature/v1\ntime {stamp}\n".encode() + text.encode()
        else:
            origin, size, root = text.split("\n")[:3]
            message = mldsa44_message(self.name, stamp, origin, int(size), base64.b64decode(root))
        return struct.pack(">Q", stamp) + self.private.sign(message)

    def line(self, text, stamp=STAMP):
        return self.written(self.octets(text, stamp))

    def written(self, octets, *, name=None, key_id=None):
        """A signature line with these octets."""
        blob = base64.b64encode((key_id or self.id) + octets).decode()
        return f"\u2014 {name or self.name} {blob}\n"


class LoopbackWitness:
    """A witness as its specification says, which keeps the newest head that it cosigned."""

    def __init__(self, *cosigners):
        self.cosigners = cosigners
        self.size, self.root = 0, None
        self.asked = []
        self.answered = lambda lines, _text: lines  # what a hostile one makes of its answer

    def answer(self, request):
        head, _, note = request.data.decode().partition("\n\n")
        text = note.partition("\n\n")[0] + "\n"
        first, *proof = head.split("\n")
        old = int(first.removeprefix("old "))
        self.asked.append(old)
        _origin, size, root = text.split("\n")[:3]
        size, root = int(size), base64.b64decode(root)
        if old != self.size:
            return Response(f"{self.size}\n", status=409, content_type="text/x.tlog.size")
        if old == size and root != self.root:
            return Response("", status=409)
        hashes = [base64.b64decode(line) for line in proof if line]
        if old and not verify_consistency(
            old_size=old, old_root=self.root, size=size, root=root, proof=hashes
        ):
            return Response("", status=422)
        self.size, self.root = size, root
        lines = "".join(one.line(text) for one in self.cosigners)
        return Response(self.answered(lines, text), content_type="text/plain")
