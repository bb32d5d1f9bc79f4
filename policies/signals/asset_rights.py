"""Rights that a file carries in itself: octets of an image, a video or a PDF in, its refusals out.

Reads three vocabularies wherever their octets stand, without knowing the container:

* PLUS and IPTC: `plus:DataMining` in XMP, namespace http://ns.useplus.org/ldf/xmp/1.0/, values of
  http://ns.useplus.org/ldf/vocab/ (as attribute, element text or `rdf:resource`; bare key or full URI);
* CAWG: the assertion `cawg.training-mining` (older `c2pa.training-mining`) of a C2PA manifest, CBOR or JSON;
* TDMRep: `tdm:reservation` in XMP, namespace http://www.w3.org/ns/tdmrep/.

Signatures are not checked: a prohibition counts whoever wrote it, and a permission lifts nothing, so that a
forged manifest can only restrict. A value that is not known, and an announced assertion that cannot be read,
count as a refusal. Not covered: XMP that a JPEG continues in a second segment, manifests that stand elsewhere
(a remote address is not fetched), Brotli-compressed metadata, and the package file of an EPUB.
Pure; bounded; never raises.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from policies.signals.asset_rights_cbor import read_cbor
from policies.signals.robots_octets import shown
from policies.signals.tdmrep import Layer, TdmReservation, read_reservation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.signals.asset_rights_cbor import Cbor

_PLUS_NAME = b":DataMining"
_PLUS_NAMESPACE = b"ns.useplus.org/ldf/xmp"
_TDM_NAME = b":reservation"
_TDM_NAMESPACE = b"www.w3.org/ns/tdmrep"
_ASSERTION = b".training-mining"
_WIDE = (b"D\0a\0t\0a\0M\0i\0n\0i\0n\0g", b"n\0s\0/\0t\0d\0m\0r\0e\0p")
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_TEXT = frozenset((b"iTXt", b"zTXt"))
#: Chunks of a PNG that are looked at, and octets that a compressed one may unpack to.
_PNG_CHUNKS = 4_096
_UNPACKED = 1_000_000
#: Statements of one file that are kept; files repeat themselves in every thumbnail.
_MOST = 50
_PLACES = 2_000
_LONGEST_BOX = 100_000
#: Media that carry such rights in themselves. A page *about* them is text and says nothing.
_ASSETS = ("image/", "video/", "audio/", "font/", "model/")
_ASSET_TYPES = frozenset(("application/pdf", "application/postscript", "application/illustrator"))
_SIGNATURES = (b"\xff\xd8\xff", _PNG, b"GIF8", b"RIFF", b"II*\0", b"MM\0*", b"%PDF-", b"\0\0\0\x0cjP")


class Refusal(StrEnum):
    """What a file refuses."""

    MINING = "mining"
    MINING_EXCEPT_SEARCH = "mining_except_search"
    TRAINING = "training"
    INFERENCE = "inference"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetStatement:
    """One refusal: which vocabulary says it, in which words, at which octet of the file (from 0)."""

    scheme: str
    refuses: Refusal
    text: str
    offset: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetRights:
    """What a file says of itself: its refusals, and its TDMRep reservation if it has one."""

    statements: tuple[AssetStatement, ...] = ()
    reservation: TdmReservation | None = None


SILENT = AssetRights()

_PLUS_VALUES: dict[str, Refusal | None] = {
    "DMI-UNSPECIFIED": None,
    "DMI-ALLOWED": None,
    "DMI-PROHIBITED": Refusal.MINING,
    "DMI-PROHIBITED-AIMLTRAINING": Refusal.TRAINING,
    "DMI-PROHIBITED-GENAIMLTRAINING": Refusal.TRAINING,
    "DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING": Refusal.MINING_EXCEPT_SEARCH,
    "DMI-PROHIBITED-SEECONSTRAINT": Refusal.MINING,
    "DMI-PROHIBITED-SEEEMBEDDEDRIGHTSEXPR": Refusal.MINING,
    "DMI-PROHIBITED-SEELINKEDRIGHTSEXPR": Refusal.MINING,
}
_CAWG_ENTRIES = {
    "data_mining": Refusal.MINING,
    "ai_inference": Refusal.INFERENCE,
    "ai_training": Refusal.TRAINING,
    "ai_generative_training": Refusal.TRAINING,
}


def _property(name: bytes) -> re.Pattern[bytes]:
    """Return the pattern of an XMP property: as an attribute, as an element with text, with a resource."""
    quoted = rb"[\"']([^\"'<>]{0,300})[\"']"
    return re.compile(
        name + rb"(?![\w.-])"
        rb"(?:\s{0,20}=\s{0,20}" + quoted + rb"|[^<>]{0,200}?\bresource\s{0,20}=\s{0,20}" + quoted + rb""
        rb"|[^<>]{0,200}>([^<]{0,300})<)?"
    )


_CLOSING = re.compile(rb"</[\w.-]{1,40}\Z")
_PLUS = _property(_PLUS_NAME)
_TDM = _property(_TDM_NAME)
# A label in a JUMBF description box ends with NUL; the box with the content follows it.
_LABEL = re.compile(rb"(?:cawg|c2pa)\.training-mining(?:[._]{1,2}v?\d{1,3})?\0")
_CONTENT = re.compile(rb"(.{4})(cbor|json)", re.DOTALL)
_CONTENT_WITHIN = 128


def is_asset(media_type: str, body: bytes) -> bool:
    """Return whether a response is a file that may carry rights, by its type or its first octets."""
    if media_type.startswith(_ASSETS) or media_type in _ASSET_TYPES:
        return True
    return not media_type.startswith("text/") and (body.startswith(_SIGNATURES) or body[4:8] == b"ftyp")


def _png_texts(body: bytes) -> Iterator[bytes]:
    """Yield the unpacked content of the compressed text chunks of a PNG (section 11.3.3 of its standard)."""
    position = len(_PNG)
    for _ in range(_PNG_CHUNKS):
        length, kind = int.from_bytes(body[position : position + 4], "big"), body[position + 4 : position + 8]
        if len(kind) < 4:  # noqa: PLR2004 - the octets of a chunk type
            return
        if kind in _PNG_TEXT and length < _LONGEST_BOX * 10:
            data = body[position + 8 : position + 8 + length]
            keyword, _, rest = data.partition(b"\0")
            packed = rest[1:] if kind == b"zTXt" else b""
            if kind == b"iTXt" and rest[:1] == b"\1":
                packed = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
            if packed and len(keyword) <= 79:  # noqa: PLR2004 - the standard's limit
                try:
                    yield zlib.decompressobj().decompress(packed, _UNPACKED)
                except zlib.error:
                    continue
        position += length + 12


def _values(pattern: re.Pattern[bytes], octets: bytes) -> Iterator[tuple[int, str]]:
    """Yield offset and value of each place where a property stands; a value that cannot be found is ""."""
    for count, found in enumerate(pattern.finditer(octets)):
        if count == _PLACES:
            return
        if _CLOSING.search(octets, max(0, found.start() - 42), found.start()):
            continue
        value = next((group for group in found.groups() if group is not None), b"")
        yield found.start(), shown(value).strip()


def _plus_statements(octets: bytes, note: str) -> Iterator[AssetStatement]:
    unreadable = False
    found_any = False
    is_plus = _PLUS_NAMESPACE in octets
    for offset, value in _values(_PLUS, octets):
        key = value.rpartition("/")[2].upper()
        if not key.startswith("DMI-"):
            unreadable = unreadable or (bool(value) and is_plus)
            continue
        found_any = True
        refuses = _PLUS_VALUES.get(key, Refusal.MINING)
        if refuses is not None:
            words = note if key in _PLUS_VALUES else f"{note} an unknown value, read as a refusal".strip()
            yield AssetStatement(
                scheme="PLUS", refuses=refuses, text=f"plus:DataMining {value}", offset=offset, note=words
            )
    if unreadable and not found_any:
        yield AssetStatement(
            scheme="PLUS",
            refuses=Refusal.MINING,
            text="plus:DataMining",
            offset=octets.find(_PLUS_NAME),
            note=f"{note} a value that cannot be read, read as a refusal".strip(),
        )


def _content_of(octets: bytes, begin: int) -> Cbor:
    """Return what the box behind a label holds; ValueError when it cannot be read."""
    box = _CONTENT.search(octets, begin, begin + _CONTENT_WITHIN)
    if box is None:
        raise ValueError("no content behind the label")
    length = int.from_bytes(box[1], "big") - 8
    payload = octets[box.end() : box.end() + length] if 0 < length <= _LONGEST_BOX else b""
    if box[2] == b"cbor":
        return read_cbor(payload)
    try:
        value: Cbor = json.loads(payload)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


def _cawg_statements(octets: bytes) -> Iterator[AssetStatement]:
    labels = list(_LABEL.finditer(octets))[:_MOST]
    if not labels:
        # Named in a manifest, and its own box is not there: redacted, compressed or divided.
        yield _unreadable_assertion(octets.find(_ASSERTION), "named in a manifest, its content is not here")
    for label in labels:
        try:
            content = _content_of(octets, label.end())
        except (ValueError, OverflowError) as error:
            yield _unreadable_assertion(label.start(), f"cannot be read: {error}"[:200])
            continue
        entries = content.get("entries", content) if isinstance(content, dict) else None
        if not isinstance(entries, dict):
            yield _unreadable_assertion(label.start(), "holds no entries")
            continue
        for name, entry in list(entries.items())[:_MOST]:
            statement = _entry_statement(name, entry, label.start())
            if statement is not None:
                yield statement


def _unreadable_assertion(offset: int, why: str) -> AssetStatement:
    return AssetStatement(
        scheme="CAWG", refuses=Refusal.MINING, text="training-mining", offset=offset, note=f"{why}: a refusal"
    )


def _entry_statement(name: str, entry: Cbor, offset: int) -> AssetStatement | None:
    use = str(entry["use"]) if isinstance(entry, dict) and "use" in entry else None
    if use == "allowed" or (use is None and "." not in name):
        return None  # a permission lifts nothing; metadata beside the entries is no entry
    limits = entry.get("constraint_info") if isinstance(entry, dict) else None
    notes = [] if use in {"notAllowed", "constrained"} else ["an unknown use, read as a refusal"]
    if limits:
        notes.append(f"constraint: {limits!r}"[:200])
    refuses = _CAWG_ENTRIES.get(name.rpartition(".")[2], Refusal.MINING)
    text = f"{name} use={use}"[:300]
    return AssetStatement(scheme="CAWG", refuses=refuses, text=text, offset=offset, note="; ".join(notes))


def _reservation(octets: bytes) -> TdmReservation | None:
    found: TdmReservation | None = None
    for _, value in _values(_TDM, octets):
        reserved = read_reservation(value)
        if reserved is not None and (found is None or reserved):
            text = f"tdm:reservation {value}"
            found = TdmReservation(reserved=reserved, layer=Layer.EMBEDDED, text=text, note="XMP of the file")
    return found


def read_asset_rights(body: bytes) -> AssetRights:
    """Return what a file says of itself; ask `is_asset` first. Most files cost a few searches and no more."""
    texts = [(body, "")]
    if any(wide in body for wide in _WIDE):
        texts.append((body.replace(b"\0", b""), "in UTF-16"))
    if body.startswith(_PNG):
        texts.extend((text, "in a compressed chunk") for text in _png_texts(body))
    statements: list[AssetStatement] = []
    reservation: TdmReservation | None = None
    for text, note in texts:
        if _PLUS_NAME in text:
            statements.extend(_plus_statements(text, note))
        if _TDM_NAME in text and _TDM_NAMESPACE in text:
            reservation = _reservation(text) or reservation
    if b"cawg" + _ASSERTION in body or b"c2pa" + _ASSERTION in body:
        statements.extend(_cawg_statements(body))
    if not statements and reservation is None:
        return SILENT
    return AssetRights(statements=tuple(statements[:_MOST]), reservation=reservation)
