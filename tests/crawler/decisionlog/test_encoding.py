"""The bytes of a record are those that are described, frozen, and different for different records."""

from __future__ import annotations

import struct
from hashlib import sha256
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.decisionlog import encoding

SEGMENT = UUID("01234567-89ab-8def-8123-456789abcdef")
FULL = {
    "idx": 7,
    "ts_us": 1_795_305_386_024_771,
    "mono_ns": 1_862_874_181_418,
    "agent": "ExampleBot",
    "policy": bytes(range(32)),
    "blocklist": bytes(range(32, 64)),
    "stage": "outcome",
    "verdict": "received",
    "reason": "received",
    "kind": "page",
    "method": "GET",
    "host": "xn--wgv71a.example",
    "domain": "xn--wgv71a.example",
    "url_commit": b"\xaa" * 32,
    "parent_commit": b"\xbb" * 32,
    "basis": b"\xcc" * 32,
    "ref_idx": 6,
    "attempt": 1,
    "status": 200,
    "size": 12_345,
    "body": b"\xdd" * 32,
    "media_type": "text/html",
    "error": "",
}
SPARSE = FULL | dict.fromkeys(
    ("kind", "host", "domain", "url_commit", "parent_commit", "basis", "ref_idx", "status", "size", "body",
     "media_type", "error"),
) | {"idx": 0, "stage": "run", "verdict": "note", "reason": "run_opened", "method": ""}  # fmt: skip
GOLDEN_FULL_DATA = (
    "73656b6973686f2e7265636f72640001000000000000000103000000100123456789ab8def8123456789abcdef010000"
    "00000000000701000660d21bcc1f4301000001b1bbf42f2a020000000a4578616d706c65426f74030000002000010203"
    "0405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f0300000020202122232425262728292a2b2c2d2e"
    "2f303132333435363738393a3b3c3d3e3f02000000076f7574636f6d6502000000087265636569766564020000000872"
    "6563656976656402000000047061676502000000034745540200000012786e2d2d7767763731612e6578616d706c6502"
    "00000012786e2d2d7767763731612e6578616d706c650300000020aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaa0300000020bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
    "0300000020cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc0100000000000000060100"
    "000000000000010100000000000000c80100000000000030390300000020dddddddddddddddddddddddddddddddddddd"
    "dddddddddddddddddddddddddddd0200000009746578742f68746d6c0200000000"
)
GOLDEN_LEAVES = {
    "full": "d2c10489b368f67c9fb98536ed00c48812272c98c5ee6d700165704f3c6c8da1",
    "sparse": "ca9ca5eb173eb999d96d659d0f58743fd13525ca697e0133ab59a19176472424",
}


def encode(fields, segment=SEGMENT):
    """What the writer and the verifier call."""
    given = dict(fields)
    context = encoding.encode_context(given.pop("agent"), given.pop("policy"), given.pop("blocklist"))
    return encoding.RecordEncoder(segment).encode(
        given.pop("idx"), given.pop("ts_us"), given.pop("mono_ns"), context, *given.values()
    )


def as_described(fields, segment=SEGMENT):
    """A second implementation, written from the description alone."""
    out = b"sekisho.record\x00"
    for value in (1, segment.bytes, *fields.values()):
        if value is None:
            out += b"\x00"
        elif isinstance(value, int):
            out += b"\x01" + value.to_bytes(8, "big", signed=True)
        elif isinstance(value, str):
            out += b"\x02" + len(value.encode()).to_bytes(4, "big") + value.encode()
        else:
            out += b"\x03" + len(value).to_bytes(4, "big") + value
    return out


def leaf(fields, segment=SEGMENT):
    return sha256(b"\x00" + encode(fields, segment)).hexdigest()


def test_the_bytes_of_a_record_are_frozen():
    assert encode(FULL).hex() == GOLDEN_FULL_DATA
    assert {"full": leaf(FULL), "sparse": leaf(SPARSE)} == GOLDEN_LEAVES


def test_commitments_and_the_segment_uuid_are_frozen():
    salt, url = bytes(range(16)), b"http://a.example/?q=1"
    assert (
        encoding.url_commitment(salt, url).hex()
        == "39d52b3f3af347a00bcc70b0ac6cf19fd344f9cf38194c6daa8a508970d61a10"
    )
    assert (
        encoding.parent_commitment(salt, url).hex()
        == "f68a0e8027321861afd84c7f0ef8e88ee03a0fe81e836f8f129b8b3c4fec52fc"
    )
    derived = encoding.derive_segment_uuid(
        number=1, run="run-1", agent="ExampleBot", opened_us=1_795_305_386_024_771, nonce=salt
    )
    assert str(derived) == "864bd9ec-e686-88e7-a3e6-901f8b6caa3d"
    assert derived.version == 8


def test_a_segment_uuid_changes_with_everything_that_it_commits_to():
    good = {"number": 1, "run": "r", "agent": "a", "opened_us": 5, "nonce": bytes(16)}
    uuids = {encoding.derive_segment_uuid(**good)}
    for change in ({"number": 2}, {"run": "ra"}, {"agent": ""}, {"opened_us": 6}, {"nonce": b"\x01" * 16}):
        uuids.add(encoding.derive_segment_uuid(**good | change))
    assert len(uuids) == 6


OTHER = {int: 9_999, str: "something else", bytes: b"\x99" * 32}


@pytest.mark.parametrize("name", FULL)
def test_every_field_changes_the_leaf(name):
    changed = {leaf(FULL), leaf(FULL | {name: OTHER[type(FULL[name])]})}
    if name in SPARSE and SPARSE[name] is None:
        changed.add(leaf(FULL | {name: None}))
        assert len(changed) == 3
    assert len(changed) >= 2


def test_the_segment_changes_the_leaf():
    assert leaf(FULL) != leaf(FULL, UUID(int=1))


def test_null_is_not_empty_and_no_text_moves_into_its_neighbour():
    seen = set()
    for host, domain in ((None, None), (None, ""), ("", None), ("", ""), ("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc"),
                         ("a\x00", "bc"), ("a'", '"'), ("a\x00\x02", ""), ("日本", "語"), ("日", "本語")):  # fmt: skip
        seen.add(leaf(FULL | {"host": host, "domain": domain}))
    assert len(seen) == 13


def test_urls_that_differ_in_any_way_have_different_commitments():
    salt = bytes(16)
    urls = [
        "", "http://a/", "http://a/\x00", "http://a/\udc80", "http://a/\ufffd", "http://a/%80", "http://a/\\udc80",
        "http://日本.example/", "http://xn--wgv71a.example/", "http://a/" + "x" * 65_536, "http://a/" + "x" * 65_537,
        "http://a/'\"", "HTTP://a/", "http://a",
    ]  # fmt: skip
    commitments = {encoding.url_commitment(salt, encoding.url_octets(url)) for url in urls}
    assert len(commitments) == len(urls)
    assert commitments.isdisjoint(
        encoding.parent_commitment(salt, encoding.url_octets(url)) for url in urls
    ), "a URL must not pass for a parent URL"


DRAWN = {
    int: st.integers(-(2**63), 2**63 - 1),
    str: st.text(max_size=300),
    bytes: st.binary(min_size=32, max_size=32),
}


@given(
    st.fixed_dictionaries(
        {
            name: DRAWN[type(value)] | st.none() if SPARSE[name] is None else DRAWN[type(value)]
            for name, value in FULL.items()
        }
    )
)
def test_the_fast_encoder_writes_what_is_described(drawn):
    fields = {name: drawn[name] for name in FULL}
    assert encode(fields) == as_described(fields)
    as_utf8 = {name: value.encode() if isinstance(value, str) else value for name, value in fields.items()}
    assert encode(as_utf8) == as_described(fields), "the verifier encodes UTF-8 as it comes from the table"


def test_lone_surrogates_are_written_out_and_noticed():
    encoder = encoding.RecordEncoder(SEGMENT)
    texts = encoder.texts
    assert texts["caf\udce9"] == encoding.field_text("caf\\udce9")
    assert texts.irregular
    texts.irregular = False
    assert texts["caf\udce9"]
    assert texts.irregular, "it must be noticed each time"


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_a_number_that_does_not_fit_is_refused(value):
    with pytest.raises(ValueError, match="64 bits"):
        encoding.field_int(value)
    for name in ("size", "ref_idx", "ts_us"):
        with pytest.raises(struct.error):
            encode(FULL | {name: value})
    with pytest.raises(ValueError, match="64 bits"):
        encode(FULL | {"status": value})


def test_the_caches_stay_bounded():
    texts = encoding.TextFields()
    for number in range(50_010):
        texts[str(number)]
    assert len(texts) <= 50_000
    assert texts["x" * 10_000] == encoding.field_text("x" * 10_000)
    assert "x" * 10_000 not in texts
