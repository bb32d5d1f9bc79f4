"""Rights that files carry in themselves: PLUS, CAWG, TDMRep, in whatever container."""

import struct
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.signals.asset_rights import SILENT, Refusal, is_asset, read_asset_rights
from policies.signals.asset_rights_cbor import read_cbor

PLUS = "http://ns.useplus.org/ldf/xmp/1.0/"
VOCABULARY = "http://ns.useplus.org/ldf/vocab/"
JPEG = b"\xff\xd8\xff\xe1\x00\x10http://ns.adobe.com/xap/1.0/\0"


def xmp(inner="", attributes=""):
    return (
        f'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        f'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:plus="{PLUS}" '
        f'xmlns:tdm="http://www.w3.org/ns/tdmrep/" {attributes}>{inner}</rdf:Description></rdf:RDF></x:xmpmeta>'
    ).encode()


def refused(octets):
    return [(one.scheme, one.refuses) for one in read_asset_rights(octets).statements]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + b"crc!"


@pytest.mark.parametrize(
    "packet",
    [
        xmp(attributes=f'plus:DataMining="{VOCABULARY}DMI-PROHIBITED"'),
        xmp(attributes="plus:DataMining = 'DMI-PROHIBITED'"),
        xmp(f"<plus:DataMining>{VOCABULARY}DMI-PROHIBITED</plus:DataMining>"),
        xmp(f'<plus:DataMining rdf:resource="{VOCABULARY}DMI-PROHIBITED"/>'),
        xmp("<plus:DataMining>\n  DMI-PROHIBITED\n</plus:DataMining>"),
        xmp(attributes='plus:DataMining="DMI-ALLOWED"') + xmp(attributes='plus:DataMining="DMI-PROHIBITED"'),
    ],
)
def test_plus_is_read_as_attribute_element_and_resource(packet):
    assert refused(JPEG + packet + b"\xff\xd9") == [("PLUS", Refusal.MINING)]


@pytest.mark.parametrize(
    ("key", "refuses"),
    [
        ("DMI-UNSPECIFIED", None),
        ("DMI-ALLOWED", None),
        ("DMI-PROHIBITED-AIMLTRAINING", Refusal.TRAINING),
        ("DMI-PROHIBITED-GENAIMLTRAINING", Refusal.TRAINING),
        ("DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING", Refusal.MINING_EXCEPT_SEARCH),
        ("DMI-PROHIBITED-SEECONSTRAINT", Refusal.MINING),
        ("DMI-PROHIBITED-SEEEMBEDDEDRIGHTSEXPR", Refusal.MINING),
        ("DMI-PROHIBITED-SEELINKEDRIGHTSEXPR", Refusal.MINING),
        ("DMI-SOMETHING-NEW", Refusal.MINING),
        ("never", Refusal.MINING),
        ("", None),
    ],
)
def test_each_plus_value_refuses_what_it_says_and_an_unknown_one_everything(key, refuses):
    found = refused(JPEG + xmp(attributes=f'plus:DataMining="{key}"'))
    assert found == ([] if refuses is None else [("PLUS", refuses)])


def test_plus_in_utf_16_and_in_a_compressed_png_chunk_is_read():
    packet = xmp(attributes='plus:DataMining="DMI-PROHIBITED"')
    assert refused(JPEG + packet.decode().encode("utf-16-le")) == [("PLUS", Refusal.MINING)]
    itxt = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0en\0\0" + zlib.compress(packet))
    assert refused(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"x" * 13) + itxt) == [("PLUS", Refusal.MINING)]
    ztxt = chunk(b"zTXt", b"Raw profile type xmp\0\0" + zlib.compress(packet))
    assert refused(b"\x89PNG\r\n\x1a\n" + ztxt) == [("PLUS", Refusal.MINING)]


def test_a_chunk_that_unpacks_without_end_costs_a_bounded_amount():
    bomb = chunk(b"zTXt", b"k\0\0" + zlib.compress(b"\0" * 200_000_000, 9)[:900_000])
    start = time.process_time()
    assert read_asset_rights(b"\x89PNG\r\n\x1a\n" + bomb) is SILENT
    assert time.process_time() - start < 0.5


def cbor(value):
    """Encode what assertions are made of."""
    if isinstance(value, dict):
        return bytes([0xA0 + len(value)]) + b"".join(cbor(k) + cbor(v) for k, v in value.items())
    if isinstance(value, list):
        return bytes([0x80 + len(value)]) + b"".join(map(cbor, value))
    octets = value.encode()
    head = bytes([0x60 + len(octets)]) if len(octets) < 24 else b"\x78" + bytes([len(octets)])
    return head + octets


def box(kind, payload):
    return struct.pack(">I", len(payload) + 8) + kind + payload


def manifest(label, content, kind=b"cbor"):
    described = box(b"jumd", b"cbor\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\3" + label.encode() + b"\0")
    return (
        b"\xff\xd8\xff\xeb\0\0JP"
        + box(b"jumb", described + box(kind, content))
        + b"self#jumbf=x/"
        + label.encode()
    )


@pytest.mark.parametrize(
    ("entry", "use", "refuses"),
    [
        ("cawg.data_mining", "notAllowed", Refusal.MINING),
        ("cawg.ai_inference", "notAllowed", Refusal.INFERENCE),
        ("cawg.ai_training", "constrained", Refusal.TRAINING),
        ("cawg.ai_generative_training", "notAllowed", Refusal.TRAINING),
        ("c2pa.ai_training", "notAllowed", Refusal.TRAINING),
        ("cawg.ai_training", "perhaps", Refusal.TRAINING),
        ("cawg.something_new", "notAllowed", Refusal.MINING),
        ("cawg.ai_training", "allowed", None),
    ],
)
@pytest.mark.parametrize("label", ["cawg.training-mining", "c2pa.training-mining", "cawg.training-mining__2"])
def test_each_cawg_entry_refuses_its_use_in_cbor_and_json(label, entry, use, refuses):
    expected = [] if refuses is None else [("CAWG", refuses)]
    assert refused(manifest(label, cbor({"entries": {entry: {"use": use}}}))) == expected
    text = f'{{"entries": {{"{entry}": {{"use": "{use}"}}}}, "metadata": {{"x": 1}}}}'
    assert refused(manifest(label, text.encode(), b"json")) == expected


def test_a_constraint_is_shown():
    content = cbor({"entries": {"cawg.ai_training": {"use": "constrained", "constraint_info": "ask us"}}})
    (one,) = read_asset_rights(manifest("cawg.training-mining", content)).statements
    assert "ask us" in one.note


@pytest.mark.parametrize(
    "octets",
    [
        manifest("cawg.training-mining", b"\xff\xff\xff"),
        manifest("cawg.training-mining", b"\xbf" * 50),
        manifest("cawg.training-mining", b"\x81" * 50_000),
        manifest("cawg.training-mining", b"[" * 50_000, b"json"),
        manifest("cawg.training-mining", cbor(["entries"])),
        manifest("cawg.training-mining", b"", b"none"),
        b"\xff\xd8\xff self#jumbf=c2pa.assertions/cawg.training-mining",
    ],
)
def test_an_assertion_that_is_announced_and_cannot_be_read_is_a_refusal(octets):
    assert refused(octets) == [("CAWG", Refusal.MINING)]


@pytest.mark.parametrize(("value", "reserved"), [("1", True), ("0", False), ("2", None)])
def test_a_tdmrep_reservation_in_xmp_is_handed_on(value, reserved):
    for packet in (
        xmp(f"<tdm:reservation>{value}</tdm:reservation>"),
        xmp(attributes=f'tdm:reservation="{value}"'),
    ):
        found = read_asset_rights(b"%PDF-1.7\n" + packet).reservation
        assert (None if found is None else found.reserved) is reserved


def test_a_property_of_that_name_elsewhere_is_no_reservation():
    assert read_asset_rights(b'%PDF-1.7 <hotel:reservation>1</hotel:reservation> x:DataMining="on"') is SILENT


@pytest.mark.parametrize(
    ("media_type", "body", "expected"),
    [
        ("image/jpeg", b"", True), ("application/pdf", b"", True), ("", JPEG, True), ("", b"\0\0\0\x18ftypavif", True),
        ("text/html", JPEG, False), ("text/plain", b"%PDF-", False), ("application/json", b"{}", False),
        ("application/octet-stream", b"%PDF-1.4", True),
    ],
)  # fmt: skip
def test_a_text_about_rights_is_no_asset(media_type, body, expected):
    assert is_asset(media_type, body) is expected


@pytest.mark.parametrize(
    "piece", [b":DataMining", b'plus:DataMining="', b"<plus:DataMining ", b"cawg.training-mining\0", b"\0", b"</a:DataMining"]
)  # fmt: skip
def test_a_megabyte_of_anything_is_read_in_time(piece):
    body = JPEG + piece * (1_000_000 // len(piece))
    start = time.process_time()
    read_asset_rights(body)
    assert time.process_time() - start < 0.3


@given(st.binary(max_size=100))
def test_cbor_raises_nothing_but_value_error(octets):
    try:
        read_cbor(octets)
    except ValueError:
        return


PIECES = st.sampled_from(
    [JPEG, b"plus:DataMining", b'="', b">", b"<", b"DMI-", b"PROHIBITED", b"cawg.training-mining", b"\0", b"\0\0\0\x20cbor",
     b"\0\0\0\x20json", b"\xa1\x67entries", b"\xa1", b"\x63use", b"ns.useplus.org/ldf/xmp", b"tdm:reservation", b"1",
     b"www.w3.org/ns/tdmrep", b"\x89PNG\r\n\x1a\n", b"\0\0\0\x09zTXt", b"D\0a\0t\0a\0M\0i\0n\0i\0n\0g"]
)  # fmt: skip


@given(st.lists(PIECES | st.binary(max_size=5), max_size=15).map(b"".join))
def test_no_octets_raise(body):
    read_asset_rights(body)
