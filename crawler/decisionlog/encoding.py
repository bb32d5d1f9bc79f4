r"""The bytes of a record, and nothing else: what a leaf of the segment's tree commits to.

Format `sekisho.record`, schema version 1. It never changes; another format gets another version number.

    leaf data = label  field 1  field 2 … field 25            leaf hash = SHA-256(0x00 + leaf data)

    label     the 15 octets "sekisho.record" 0x00
    field     one tag octet, then what the tag says; integers are big-endian
                0x00                                          NULL (never the same as an empty text)
                0x01  8 octets                                integer, signed, two's complement
                0x02  4 octets length, then as many octets    text in UTF-8
                0x03  4 octets length, then as many octets    octets

     1 schema version  integer   1                 14 host             text or NULL
     2 segment         octets    16, the UUID      15 domain           text or NULL
     3 idx             integer   0, 1, 2 …         16 url commitment   octets (32) or NULL
     4 ts_us           integer   UTC, µs           17 parent's         octets (32) or NULL
     5 mono_ns         integer   ns                18 basis            octets (32) or NULL
     6 agent           text                        19 ref_idx          integer or NULL
     7 policy          octets    32                20 attempt          integer
     8 blocklist       octets    32                21 status           integer or NULL
     9 stage           text                        22 size             integer or NULL
    10 verdict         text                        23 body_sha256      octets (32) or NULL
    11 reason          text                        24 media_type       text or NULL
    12 kind            text or NULL                25 error            text or NULL
    13 method          text

Policy, block list, basis and body enter by SHA-256, URLs by a salted commitment (16 random octets a record):

    url commitment      SHA-256("url" 0x00 + salt + octets of the URL)
    parent's            SHA-256("parent_url" 0x00 + salt + octets of the parent URL)

The octets of a text are its UTF-8. A URL that is no valid Unicode (lone surrogates, from undecodable input)
is taken with each surrogate as its three octets of generalised UTF-8, so that no two URLs share a
commitment; in every other text a lone surrogate is written as the six characters `\udcXX` before hashing.

A segment's UUID is derived, so that its row cannot be altered either (RFC 9562 version 8):

    UUID octets = first 16 of SHA-256("sekisho.segment" 0x00 + fields), version and variant bits set,
    fields as above: schema version, segment number, run (text), agent (text), opened_us, nonce (octets, 16)

Pure; imports the standard library only.
"""

from __future__ import annotations

from hashlib import sha256
from struct import Struct
from typing import Final
from uuid import UUID

SCHEMA_VERSION: Final = 1
DIGEST_SIZE: Final = 32
SALT_SIZE: Final = 16

_LABEL = b"sekisho.record\x00"
_SEGMENT_LABEL = b"sekisho.segment\x00"
_NULL = b"\x00"
_DIGEST = b"\x03" + (DIGEST_SIZE).to_bytes(4, "big")
_pack_int = Struct(">Bq").pack
_pack_three = Struct(">BqBqBq").pack
_TEXT_CACHE_ENTRIES = 10_000  # half a kilobyte each where a site makes them up
_TEXT_CACHE_LENGTH = 256


def text_octets(text: str) -> bytes:
    r"""Return the UTF-8 of a text; lone surrogates are written out as `\udcXX`."""
    return text.encode("utf-8", "backslashreplace")


def url_octets(url: str) -> bytes:
    """Return the octets of a URL, different for different URLs whatever they hold."""
    return url.encode("utf-8", "surrogatepass")


def field_int(value: int | None) -> bytes:
    """Return an integer or NULL as a field. Raises ValueError outside 64 signed bits."""
    if value is None:
        return _NULL
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"{value} does not fit in 64 bits")
    return _pack_int(1, value)


def field_octets(value: bytes | None) -> bytes:
    """Return octets or NULL as a field."""
    return _NULL if value is None else b"\x03" + len(value).to_bytes(4, "big") + value


def field_text(value: str | bytes | None) -> bytes:
    """Return a text (or its UTF-8, as read from a table) or NULL as a field."""
    if value is None:
        return _NULL
    octets = text_octets(value) if isinstance(value, str) else value
    return b"\x02" + len(octets).to_bytes(4, "big") + octets


class TextFields(dict["str | bytes | None", bytes]):
    """Encoded text fields by value: hosts, reasons and methods repeat, so encode each of them once.

    `irregular` is set when a text had lone surrogates, so that a writer knows to store what was hashed; or
    what not every table can hold (see `portable_text`).
    """

    __slots__ = ("irregular",)

    def __init__(self) -> None:
        super().__init__()
        self.irregular = False

    def __missing__(self, value: str | bytes | None) -> bytes:
        """Encode, and remember what is short."""
        encoded = field_text(value)
        if isinstance(value, str) and (encoded[5:].decode() != value or "\0" in value or "\ufdd0" in value):
            self.irregular = True
        elif len(encoded) <= _TEXT_CACHE_LENGTH:
            if len(self) >= _TEXT_CACHE_ENTRIES:
                self.clear()
            self[value] = encoded
        return encoded


class IntFields(dict["int | None", bytes]):
    """Encoded integer fields by value, for statuses and attempts."""

    __slots__ = ()

    def __missing__(self, value: int | None) -> bytes:
        """Encode and remember."""
        encoded = field_int(value)
        if len(self) >= _TEXT_CACHE_ENTRIES:
            self.clear()
        self[value] = encoded
        return encoded


def url_commitment(salt: bytes, url: bytes) -> bytes:
    """Return what field 16 holds for a URL's octets."""
    return sha256(b"url\x00" + salt + url).digest()


def parent_commitment(salt: bytes, url: bytes) -> bytes:
    """Return what field 17 holds for a parent URL's octets."""
    return sha256(b"parent_url\x00" + salt + url).digest()


def encode_context(agent: str | bytes, policy: bytes, blocklist: bytes) -> bytes:
    """Return fields 6 to 8, which are the same for nearly all records of a run."""
    return field_text(agent) + field_octets(policy) + field_octets(blocklist)


def derive_segment_uuid(
    *,
    number: int,
    run: str | bytes,
    agent: str | bytes,
    opened_us: int,
    nonce: bytes,
    schema: int | None = None,
) -> UUID:
    """Return the UUID that commits to a segment's row; `schema` is that of its records, if not ours."""
    octets = bytearray(
        sha256(
            _SEGMENT_LABEL
            + field_int(SCHEMA_VERSION if schema is None else schema)
            + field_int(number)
            + field_text(run)
            + field_text(agent)
            + field_int(opened_us)
            + field_octets(nonce)
        ).digest()[:16]
    )
    octets[6] = octets[6] & 0x0F | 0x80
    octets[8] = octets[8] & 0x3F | 0x80
    return UUID(bytes=bytes(octets))


def encode_start(segment: UUID, lead: bytes = b"") -> bytes:
    """Return `lead`, the label, and fields 1 and 2, which all records of a segment have alike."""
    return lead + _LABEL + field_int(SCHEMA_VERSION) + field_octets(segment.bytes)


class RecordEncoder:
    """Encodes the records of one segment. Texts may be str (when writing) or UTF-8 (when verifying).

    `lead` is put before the leaf data: 0x00 where the leaf hash is what is wanted.
    """

    __slots__ = ("_ints", "_prefix", "texts")

    def __init__(self, segment: UUID, *, lead: bytes = b"") -> None:
        self._prefix = encode_start(segment, lead)
        self.texts = TextFields()
        self._ints = IntFields()

    def encode(  # noqa: PLR0917 - called with a row as it comes from the table; naming 22 arguments costs 1 µs
        self,
        idx: int,
        ts_us: int,
        mono_ns: int,
        context: bytes,
        stage: str | bytes,
        verdict: str | bytes,
        reason: str | bytes,
        kind: str | bytes | None,
        method: str | bytes,
        host: str | bytes | None,
        domain: str | bytes | None,
        url_commit: bytes | None,
        parent_commit: bytes | None,
        basis: bytes | None,
        ref_idx: int | None,
        attempt: int,
        status: int | None,
        size: int | None,
        body: bytes | None,
        media_type: str | bytes | None,
        error: str | bytes | None,
    ) -> bytes:
        """Return the leaf data. Raises struct.error or ValueError on an integer that does not fit."""
        texts, ints = self.texts, self._ints
        return b"".join(
            (
                self._prefix,
                _pack_three(1, idx, 1, ts_us, 1, mono_ns),
                context,
                texts[stage],
                texts[verdict],
                texts[reason],
                texts[kind],
                texts[method],
                texts[host],
                texts[domain],
                _NULL if url_commit is None else _DIGEST + url_commit,
                _NULL if parent_commit is None else _DIGEST + parent_commit,
                _NULL if basis is None else _DIGEST + basis,
                _NULL if ref_idx is None else _pack_int(1, ref_idx),
                ints[attempt],
                ints[status],
                _NULL if size is None else _pack_int(1, size),
                _NULL if body is None else _DIGEST + body,
                texts[media_type],
                texts[error],
            )
        )
