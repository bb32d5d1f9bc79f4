"""C2SP signed notes, verifier keys and checkpoints, to the octet (https://c2sp.org/signed-note,
https://c2sp.org/tlog-checkpoint).

Text, an empty line, then one signature a line. Signatures of unknown keys are ignored; one of a known key
that fails rejects the whole note; a note without any signature of a known key is rejected.
Types: 0x01 Ed25519 (RFC 8032) to sign and verify; to verify, the timestamped cosignatures 0x04 (Ed25519) and
0x06 (ML-DSA-44, `cosignatures`). Pure; keys arrive as arguments.
"""  # noqa: D205 - the second specification belongs to the first line

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from crawler.decisionlog import cosignatures
from crawler.decisionlog.errors import UnverifiableError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519: Final = 0x01
COSIGNATURE: Final = 0x04
MLDSA44_COSIGNATURE: Final = 0x06
COSIGNATURES: Final = frozenset({COSIGNATURE, MLDSA44_COSIGNATURE})  # the types of witnesses
# Octets of a key, and of a signature without its time.
_SIZES: Final = {
    ED25519: (32, 64),
    COSIGNATURE: (32, 64),
    MLDSA44_COSIGNATURE: (cosignatures.MLDSA44_KEY, cosignatures.MLDSA44_SIGNATURE),
}
_STAMP_SIZE: Final = 8
_KEY_ID: Final = 4
_HASH: Final = 32
# Octets of a note. Ours have about 250; a cosignature adds about 120, one of ML-DSA-44 3,300, and there are
# post-quantum signatures of twice that: as many of these as signatures are read.
LONGEST_NOTE: Final = 512 * 1024
_LONGEST_TEXT: Final = 64 * 1024  # characters of it that are signed
_SIGNATURES: Final = 64
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_DASH: Final = "\u2014 "


class NoteError(ValueError):
    """A note, a checkpoint or a key is not what its specification says, or its signature does not verify."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """A public key with its name: `type` is that of its signatures, `key` its octets."""

    name: str
    type: int
    key: bytes

    @property
    def id(self) -> bytes:
        """The key ID of its signature lines: 4 octets."""
        return sha256(self.name.encode() + b"\n" + bytes((self.type,)) + self.key).digest()[:_KEY_ID]

    def __str__(self) -> str:
        encoded = base64.b64encode(bytes((self.type,)) + self.key).decode()
        return f"{self.short}+{encoded}"

    @property
    def short(self) -> str:
        """Name and ID, for people: a key of ML-DSA-44 has 1,750 letters."""
        return f"{self.name}+{self.id.hex()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature line: of which key it says to be, and its octets."""

    name: str
    id: bytes
    octets: bytes

    @property
    def line(self) -> str:
        """The line, with its end."""
        return f"{_DASH}{self.name} {base64.b64encode(self.id + self.octets).decode()}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A signed note, not yet verified. `text` ends with a line end."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return self.text + "\n" + "".join(signature.line for signature in self.signatures)

    def with_signatures(self, signatures: Iterable[Signature]) -> Note:
        """Return the note with these signatures behind its own."""
        return Note(text=self.text, signatures=(*self.signatures, *signatures))


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The head of a log: its origin, the number of its leaves, and their RFC 6962 root (32 octets)."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def _decoded(text: str, what: str) -> bytes:
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError(f"{what} is no base64") from error
    if base64.b64encode(octets).decode() != text:
        raise NoteError(f"{what} is no canonical base64")
    return octets


def checked_name(name: str) -> str:
    """Return the name of a key or a log. Raises NoteError when the specification forbids it."""
    if not name or "+" in name or any(letter.isspace() for letter in name) or _CONTROL.search(name):
        raise NoteError(
            f"{name!r} cannot name a key or a log: it is empty, or has a space, a plus or a control"
        )
    return name


def parse_vkey(text: str) -> VerifierKey:
    """Return a verifier key, written NAME+HEXID+BASE64. Raises NoteError."""
    parts = text.strip().split("+", 2)
    if len(parts) != 3:  # noqa: PLR2004 - name, ID, key
        raise NoteError(f"{text.strip()[:120]!r} is no verifier key: write NAME+HEXID+BASE64")
    name, hexid, encoded = parts
    octets = _decoded(encoded, "the key of a verifier key")
    kind = octets[0] if octets else None
    if kind not in _SIZES or len(octets) != _SIZES[kind][0] + 1:
        raise NoteError(f"the key of {name[:80]!r} is no Ed25519 key, and none of ML-DSA-44")
    if kind == MLDSA44_COSIGNATURE and len(name.encode()) > cosignatures.LONGEST_NAME:
        raise NoteError(f"{name[:80]!r} is too long a name for a cosigner: it has more than 255 octets")
    key = VerifierKey(name=checked_name(name), type=kind, key=octets[1:])
    if key.id.hex() != hexid:
        raise NoteError(f"the ID of the key {name!r} is {key.id.hex()}, not {hexid[:16]}: it was mistyped")
    return key


def verifier_key(name: str, private: Ed25519PrivateKey) -> VerifierKey:
    """Return the verifier key of a private key under a name. Raises NoteError for a name that is none."""
    return VerifierKey(name=checked_name(name), type=ED25519, key=private.public_key().public_bytes_raw())


def sign(text: str, name: str, private: Ed25519PrivateKey) -> Note:
    """Return the text (ending in a line end) as a note with one Ed25519 signature."""
    octets = private.sign(text.encode())
    signature = Signature(name=name, id=verifier_key(name, private).id, octets=octets)
    return Note(text=text, signatures=(signature,))


def parse_note(octets: bytes) -> Note:
    """Return a note's text and signatures, unverified. Raises NoteError."""
    if len(octets) > LONGEST_NOTE:
        raise NoteError(f"a note of {len(octets):,} octets is too long")
    try:
        whole = octets.decode()
    except UnicodeError as error:
        raise NoteError("a note is UTF-8, this is not") from error
    if _CONTROL.search(whole):
        raise NoteError("a note has no control characters but line ends, this has")
    cut = whole.rfind("\n\n")
    if cut < 1 or not whole.endswith("\n"):
        raise NoteError("a note has a text, an empty line, and signatures, each line with its end")
    if cut > _LONGEST_TEXT:
        raise NoteError(f"a note whose text has {cut:,} characters is too long")
    lines = whole[cut + 2 :].removesuffix("\n").split("\n")
    if len(lines) > _SIGNATURES:
        raise NoteError(f"a note with {len(lines)} signatures is not read")
    return Note(text=whole[: cut + 1], signatures=tuple(_signature(line) for line in lines))


def _signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH):
        raise NoteError(f"{line[:60]!r} is no signature line")
    octets = _decoded(encoded, "a signature")
    if len(octets) <= _KEY_ID:
        raise NoteError("a signature is too short")
    return Signature(name=checked_name(name), id=octets[:_KEY_ID], octets=octets[_KEY_ID:])


def _verifies(note: Note, signature: Signature, key: VerifierKey) -> bool:
    octets, stamp = signature.octets, None
    if key.type in COSIGNATURES:
        stamp, octets = int.from_bytes(octets[:_STAMP_SIZE], "big"), octets[_STAMP_SIZE:]
    if len(octets) != _SIZES[key.type][1] or (stamp is not None and stamp > cosignatures.LATEST):
        return False
    try:
        if key.type == MLDSA44_COSIGNATURE:
            return cosignatures.verifies(key.key, octets, _subtree(note, key, stamp or 0))
        message = note.text.encode()
        if stamp is not None:
            message = f"cosignature/v1\ntime {stamp}\n".encode() + message
        Ed25519PublicKey.from_public_bytes(key.key).verify(octets, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _subtree(note: Note, key: VerifierKey, time_s: int) -> bytes:
    """Return what a type 0x06 cosignature of the checkpoint signs. Raises ValueError where it can be none."""
    head = parse_checkpoint(note)  # strict: it refuses what this type does not sign, extension lines
    return cosignatures.subtree_message(
        cosigner=key.name, time_s=time_s, origin=head.origin, end=head.size, root=head.root
    )


def cosigned_at(signature: Signature) -> int:
    """Return the time of a cosignature (types 0x04, 0x06), POSIX seconds. Raises NoteError."""
    if len(signature.octets) - _STAMP_SIZE not in {_SIZES[kind][1] for kind in COSIGNATURES}:
        raise NoteError(f"the cosignature of {signature.name!r} does not have the length of one")
    return int.from_bytes(signature.octets[:_STAMP_SIZE], "big")


def signers(note: Note, known: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
    """Return the known keys that signed the note.

    Raises NoteError when a signature of a known key fails, or no known key signed; UnverifiableError when
    one of a known key cannot be verified on this machine, and none that can fails.
    """
    keys = {(key.name, key.id): key for key in known}
    found: list[VerifierKey] = []
    beyond: UnverifiableError | None = None
    for signature in note.signatures:
        key = keys.get((signature.name, signature.id))
        if key is None:
            continue
        try:
            good = _verifies(note, signature, key)
        except UnverifiableError as error:
            beyond = error  # a wrong one behind it says more
            continue
        if not good:
            raise NoteError(f"the signature of {key.name!r} ({key.id.hex()}) is wrong")
        found.append(key)
    if beyond is not None:
        raise beyond
    if not found:
        names = ", ".join(f"{signature.name} ({signature.id.hex()})" for signature in note.signatures)
        raise NoteError(f"no known key signed it; it is signed by {names[:300]}")
    return tuple(found)


def parse_checkpoint(note: Note) -> Checkpoint:
    """Return the checkpoint that a note's text is. Raises NoteError. Says nothing of signatures."""
    origin, *rest = note.text.removesuffix("\n").split("\n")
    if len(rest) < 2 or not all((origin, *rest)):  # noqa: PLR2004 - size and root
        raise NoteError("a checkpoint has an origin, a size and a root, and no empty line")
    size, root, *extensions = rest
    if not _NUMBER.fullmatch(size):
        raise NoteError(f"the size of a checkpoint is a number, {size[:40]!r} is none")
    octets = _decoded(root, "the root of a checkpoint")
    if len(octets) != _HASH:
        raise NoteError("the root of a checkpoint has 32 octets, this has not")
    if extensions:
        raise NoteError("a checkpoint of a Sekisho log has no extension lines")
    return Checkpoint(origin=origin, size=int(size), root=octets)
