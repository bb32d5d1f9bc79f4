"""What a timestamped ML-DSA-44 cosignature signs, and whether it verifies (https://c2sp.org/tlog-cosignature).

Type 0x06 of signed notes: pure ML-DSA-44 of FIPS 204 with an empty context, over a binary structure that
names the cosigner, the log, and a range of its leaves with their root. The text of the note is not signed
itself, so that whoever checks must read origin, size and root out of it strictly, and accept nothing beside.

ML-DSA is in cryptography from 48 on, where the OpenSSL below it has it, from 3.5 on. Elsewhere nothing of
this type can be verified: `UnverifiableError`, which is neither a good signature nor a wrong one. Pure.
"""

from __future__ import annotations

from struct import pack
from typing import TYPE_CHECKING, Final

import cryptography
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from crawler.decisionlog.errors import UnverifiableError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

MLDSA44_KEY: Final = 1312  # octets (FIPS 204, table 2)
MLDSA44_SIGNATURE: Final = 2420
LONGEST_NAME: Final = 255  # octets of a cosigner's name or a log's origin: their length is one octet
LATEST: Final = 2**63 - 1  # seconds: no cosignature may have a later time
_LABEL: Final = b"subtree/v1\n\x00"
_HASH: Final = 32


def subtree_message(
    *, cosigner: str, time_s: int, origin: str, start: int = 0, end: int, root: bytes
) -> bytes:
    """Return the octets that are signed. A checkpoint is the leaves from 0 to its size, with its root.

    `time_s` is POSIX seconds, 0 where the cosigner says nothing of time. Raises ValueError for values that
    the structure cannot hold.
    """
    if not 0 <= time_s <= LATEST or (start and time_s):
        raise ValueError(f"a cosignature of leaves from {start} on cannot have the time {time_s}")
    if not 0 <= start <= end < 2**64 or len(root) != _HASH:
        raise ValueError(f"there are no leaves {start} to {end} with a root of {len(root)} octets")
    return b"".join(
        (_LABEL, _prefixed(cosigner), pack(">Q", time_s), _prefixed(origin), pack(">QQ", start, end), root)
    )


def _prefixed(name: str) -> bytes:
    octets = name.encode()
    if not 1 <= len(octets) <= LONGEST_NAME:
        raise ValueError(f"a name of {len(octets)} octets cannot be signed: it may have 1 to {LONGEST_NAME}")
    return bytes((len(octets),)) + octets


def check_support(key: bytes) -> None:
    """See that signatures of this key can be verified here. Raises UnverifiableError, ValueError."""
    _loaded(key)


def verifies(key: bytes, signature: bytes, message: bytes) -> bool:
    """Return whether this ML-DSA-44 key (1312 octets) signed the message. Raises UnverifiableError."""
    try:
        _loaded(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _loaded(key: bytes) -> MLDSA44PublicKey:
    try:
        from cryptography.hazmat.primitives.asymmetric import mldsa  # noqa: PLC0415 - not in every release

        return mldsa.MLDSA44PublicKey.from_public_bytes(key)
    except (ImportError, AttributeError, UnsupportedAlgorithm) as error:
        raise UnverifiableError(
            f"ML-DSA-44 cannot be verified here: cryptography {cryptography.__version__} or the OpenSSL below"
            " it does not have it; install cryptography 48 or newer, with OpenSSL 3.5 or newer"
        ) from error
