from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.signals.page_text import declared_charset, decode_narrow, decode_octets, line_at, wide_codec

TEXT = "<html>表示と予約</html>"


@pytest.mark.parametrize("codec", ["cp932", "euc_jp", "iso2022_jp", "utf-8"])
def test_the_header_names_the_encoding(codec):
    charset = declared_charset(f'text/html; Charset="{codec}"')
    assert decode_narrow(TEXT.encode(codec), charset) == TEXT


def test_the_page_names_it_when_the_header_does_not():
    html = "<meta charset='Shift_JIS'>" + TEXT
    assert decode_narrow(html.encode("cp932"), "") == html


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_text_is_recognised_without_a_label(codec):
    assert wide_codec(("<!doctype html><html lang=en>" + TEXT).encode(codec), "") == codec


def test_line_ends_and_zero_octets_are_those_of_html():
    assert decode_narrow(b"\xef\xbb\xbfa\r\nb\rc\0", "") == "a\nb\nc\ufffd"


@given(st.binary(), st.text())
def test_no_octets_and_no_label_raise(octets, label):
    decode_narrow(octets, declared_charset(f"text/html; charset={label}"))
    wide_codec(octets, declared_charset(f"charset={label}"))


@given(st.lists(st.sampled_from(["\n", "a", "ツ" * 3000, "b" * 9000, "\n" * 5000]), max_size=8), st.data())
def test_the_line_of_a_position_counts_the_line_ends_before_it(parts, data):
    text = "".join(parts)
    position = data.draw(st.integers(0, len(text)))
    assert line_at(text, position) == text[:position].count("\n") + 1


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_words_between_thousands_of_broken_characters_stay_readable(codec):
    wide = 2 if codec.startswith("utf-16") else 4
    half = (0xD800).to_bytes(wide, "little" if codec.endswith("le") else "big")
    octets = half * 5_000 + "<p>isAccessibleForFree 語</p>".encode(codec) + half * 5_000
    text = decode_octets(octets, codec)
    assert "<p>isAccessibleForFree 語</p>" in text
    assert len(text) == 10_000 + len("<p>isAccessibleForFree 語</p>")
    assert "<" not in text[:5_000]


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-32-be"])
def test_whole_pairs_are_read_however_many_there_are(codec):
    assert decode_octets(("😀" * 5_000).encode(codec), codec) == "😀" * 5_000


@given(st.binary(), st.sampled_from(["cp1252", "cp874", "iso8859-7", "koi8-r", "cp932", "gb18030", "utf-8"]))
def test_a_table_of_characters_reads_as_the_codec_does(octets, codec):
    octets = octets.replace(b"\r", b"").replace(b"\0", b"")
    assert decode_octets(octets, codec) == octets.decode(codec, "replace").removeprefix("\ufeff")
