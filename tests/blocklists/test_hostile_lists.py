"""No list, however large or broken, does more harm than a clear refusal in bounded memory and time."""

from __future__ import annotations

import gzip
import random
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.entry import Match, Weight
from blocklists.errors import ListError
from blocklists.host import canonical_host
from blocklists.source import (
    MAX_LIST_OCTETS,
    Format,
    ListFile,
    Manifest,
    build_source,
    load_source,
    parse_list,
)

FORMATS = [form for form in Format if form is not Format.OVERRIDES]
MIB = 1_048_576


def manifest(form, **more):
    columns = {"pattern": "name"} if form is Format.CSV else None
    return Manifest(
        id="a", title="a", file="a", format=form, weight=Weight.COMMUNITY, columns=columns, **more
    )


def attempt(form, octets, urls=None):
    """Read a list; a refusal is a sentence that names the list."""
    file = ListFile(octets=octets, urls=(urls or b"") if form is Format.UT1 else None)
    message = ""
    try:
        return build_source(manifest(form), file, parse_list(manifest(form), file, where="lists/a"))
    except ListError as error:
        message = str(error)
    assert message.startswith("lists/a")
    assert len(message) < 2_000
    return None


def refusal(form, octets):
    with pytest.raises(ListError) as caught:
        parse_list(
            manifest(form), ListFile(octets=octets, urls=b"" if form is Format.UT1 else None), where="a"
        )
    return str(caught.value)


PIECES = st.sampled_from(
    [
        b"bad.example", b"||", b"^", b"@@", b"$important", b"*.", b"local=/", b"server=/", b"address=/", b"/",
        b'local-zone: "', b'" always_null', b"0.0.0.0 ", b":: ", b" CNAME .", b" CNAME rpz-passthru.", b"\n",
        b"\r\n", b"#", b"!", b";", b"$TTL 1", b"$ORIGIN x.", b"@ SOA (", b")", b'{"pattern":"', b'"}', b"name,",
        b"xn--", b"\x00", b"\xff", b"\xef\xbb\xbf", b".", b"..", b"-", "ß。".encode(), b"com", b"1.2.3.4", b"\t",
    ]
)  # fmt: skip


@pytest.mark.parametrize("form", FORMATS)
@given(pieces=st.lists(PIECES, max_size=25))
def test_mangled_lists_are_read_or_refused_and_never_anything_else(form, pieces):
    loaded = attempt(form, b"".join(pieces), urls=b"".join(reversed(pieces)))
    if loaded is None:
        return
    assert loaded.entries
    for entry in loaded.entries:
        host = entry.pattern.partition("/")[0]
        assert canonical_host(host) == host
        assert entry.line_no >= 1
        assert entry.match is Match.IP or "." in host or ":" in host


@pytest.mark.parametrize("form", FORMATS)
@given(octets=st.binary(max_size=150))
def test_any_octets_are_read_or_refused(form, octets):
    attempt(form, octets, urls=octets)


@pytest.mark.parametrize("form", FORMATS)
def test_binary_garbage_is_refused_at_once(form):
    octets = random.Random(1).randbytes(2 * MIB)
    started = time.process_time()
    assert attempt(form, octets) is None
    latin = octets.replace(b"\x00", b"").decode("latin-1").encode()
    assert attempt(form, latin) is None
    assert time.process_time() - started < 3


@pytest.mark.parametrize("form", FORMATS)
def test_a_list_that_is_one_line_of_two_mib_is_refused_at_once(form):
    for line in (b"x" * 2 * MIB, b"a " * MIB, b"/" * 2 * MIB, b" " * 2 * MIB, b"a." * MIB, b"(" * 2 * MIB):
        started = time.process_time()
        assert attempt(form, line) is None
        assert time.process_time() - started < 2


@pytest.mark.parametrize("form", FORMATS)
def test_lines_just_short_of_the_limit_take_linear_time(form):
    lines = (b"a" + b" " * 60_000 + b"b", b"a." * 30_000, b"||" + b"a" * 60_000, b"local=/" + b"a/" * 29_000)
    lines += (b"0.0.0.0 " + b"a.b " * 15_000, b"*." * 30_000, b'local-zone: "' + b" " * 60_000, b"(" * 60_000)
    lines += (b"a" + b" 1" * 30_000, b"a" + b"\t" * 60_000 + b"#", b"xn--" + b"a" * 60_000, b"[" * 60_000)
    for line in lines:
        started = time.process_time()
        attempt(form, line + b"\n" + line)
        assert time.process_time() - started < 1, line[:20]


def test_one_wide_character_does_not_multiply_the_memory_of_a_list():
    rows = b"\n".join(b"s%d.example" % number for number in range(200_000))
    octets = rows + "\n💩.example\n".encode()
    file = ListFile(octets=octets)
    tracemalloc.start()
    parsed = parse_list(manifest(Format.PLAIN), file, where="a")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(parsed.rows) == 200_001
    assert peak / len(parsed.rows) < 250


def test_a_list_beyond_the_limit_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "a.txt").open("wb") as file:
        file.truncate(200_000_000)  # a sparse file: nothing is written
    (tmp_path / "a.toml").write_text(
        'id = "a"\ntitle = "a"\nfile = "a.txt"\nweight = "operator"\n', encoding="utf-8"
    )
    tracemalloc.start()
    with pytest.raises(ListError, match=f"has 200000000 octets; a list may have {MAX_LIST_OCTETS}"):
        load_source(tmp_path / "a.toml")
    assert tracemalloc.get_traced_memory()[1] < 2 * MIB
    tracemalloc.stop()


def test_hard_case_24_a_bomb_is_refused_whatever_its_format(monkeypatch):
    bomb = gzip.compress(b"bad.example\n" * 3_000_000)
    monkeypatch.setattr("blocklists.list_file.unpack.__kwdefaults__", {"limit": 4 * MIB})
    for form in (Format.PLAIN, Format.RPZ, Format.CSV):
        assert "unpacks to more than 4194304 octets" in refusal(form, bomb)


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE html><html><body>bad.example</body></html>",
        b"\n\n  <html>",
        b"",
        b"\n \n",
        b'{"message":"Not Found"}',
        b"404: Not Found",
        b"429 Too Many Requests\n",
    ],
)
@pytest.mark.parametrize("form", [form for form in FORMATS if form is not Format.UT1])
def test_hard_case_24_a_page_an_error_or_nothing_is_no_list(form, body):
    assert attempt(form, body) is None


@pytest.mark.parametrize("kind", ["page", "count"])
def test_a_ut1_path_file_is_held_to_the_same_checks(kind):
    if kind == "page":
        assert attempt(Format.UT1, b"bad.example", urls=b"<html>") is None
    else:
        assert attempt(Format.UT1, b"# Entries: 9\nbad.example", urls=b"") is None


@pytest.mark.long
@pytest.mark.parametrize("form", FORMATS)
def test_fifty_mib_in_one_line_is_refused_in_bounded_memory(form):
    octets = b"x" * (50 * MIB)
    tracemalloc.start()
    started = time.process_time()
    assert attempt(form, octets) is None
    assert time.process_time() - started < 20
    assert tracemalloc.get_traced_memory()[1] < 80 * MIB
    tracemalloc.stop()


@pytest.mark.long
def test_the_largest_list_that_is_allowed_is_read():
    octets = b"\n".join(b"site-number-%07d.example.com" % number for number in range(MAX_LIST_OCTETS // 33))
    assert len(octets) < MAX_LIST_OCTETS
    file = ListFile(octets=octets)
    loaded = build_source(manifest(Format.PLAIN), file, parse_list(manifest(Format.PLAIN), file, where="a"))
    assert len(loaded.entries) == MAX_LIST_OCTETS // 33
    assert loaded.entries[-1].line_no == len(loaded.entries)
