"""Minisign signatures: whether the holder of a pinned key published exactly these octets.

Implements verification of https://jedisct1.github.io/minisign/ (Ed25519, RFC 8032): the legacy form over
the file and the prehashed form over its BLAKE2b-512 digest. The trusted comment has a signature of its own.
Pure; never signs, never reads a file.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_KEY_OCTETS = 42  # algorithm 2, key id 8, public key 32
_SIGNATURE_OCTETS = 74  # algorithm 2, key id 8, signature 64
_GLOBAL_OCTETS = 64
_LINES = 4
_LEGACY = b"Ed"
_PREHASHED = b"ED"
_TRUSTED = "trusted comment: "


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A minisign public key: its id as 8 octets, and 32 octets of Ed25519."""

    key_id: bytes
    octets: bytes


def parse_public_key(text: str) -> PublicKey:
    """Return the key of a minisign key file or of its last line alone; ValueError when it is none."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    octets = _base64(lines[-1]) if lines else b""
    if len(octets) != _KEY_OCTETS or octets[:2] != _LEGACY:
        raise ValueError("is not a minisign public key (56 characters that begin with RW)")
    return PublicKey(key_id=octets[2:10], octets=octets[10:])


def what_is_wrong(  # noqa: PLR0911 - one way out a complaint
    key: PublicKey, signature: bytes, octets: bytes
) -> str:
    """Return why a `.minisig` file does not vouch for some octets, or an empty text when it does."""
    try:
        lines = signature.decode("utf-8").rstrip("\r\n").split("\n")
    except UnicodeDecodeError:
        return "the signature is not UTF-8"
    lines = [line.removesuffix("\r") for line in lines]
    if len(lines) != _LINES or not lines[0].startswith("untrusted comment:"):
        return "the signature file is not minisign's: four lines are expected"
    signed, overall = _base64(lines[1]), _base64(lines[3])
    if len(signed) != _SIGNATURE_OCTETS or len(overall) != _GLOBAL_OCTETS:
        return "the signature has not the length of one"
    if not lines[2].startswith(_TRUSTED):
        return "the signature has no trusted comment"
    algorithm, key_id, own = signed[:2], signed[2:10], signed[10:]
    if key_id != key.key_id:
        return f"signed with key {key_id[::-1].hex().upper()}, pinned is {key.key_id[::-1].hex().upper()}"
    if algorithm not in (_LEGACY, _PREHASHED):
        return f"unknown signature algorithm {algorithm!r}"
    message = hashlib.blake2b(octets).digest() if algorithm == _PREHASHED else octets
    public = Ed25519PublicKey.from_public_bytes(key.octets)
    try:
        public.verify(own, message)
    except InvalidSignature:
        return "the signature does not fit these octets"
    try:
        public.verify(overall, own + lines[2].removeprefix(_TRUSTED).encode())
    except InvalidSignature:
        return "the trusted comment was changed"
    return ""


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""
