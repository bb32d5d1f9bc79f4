"""A compressed list is undone within its bound, and refused beyond it before it has grown."""

from __future__ import annotations

import gzip
import io
import tarfile
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.errors import ListError
from blocklists.unpack import unpack, ut1_files


def archive(*members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            info.size = len(content or b"")
            tar.addfile(info, io.BytesIO(content or b""))
    return out.getvalue()


@given(st.binary(max_size=2_000), st.integers(min_value=0, max_value=9))
def test_what_was_packed_comes_back(octets, level):
    packed = gzip.compress(octets, level, mtime=0)
    assert unpack(packed, "a") == octets
    assert unpack(packed + packed, "a") == octets + octets
    assert unpack(packed + b"\x00" * 30, "a") == octets


def test_other_octets_are_left_alone():
    assert unpack(b"bad.example\n", "a") == b"bad.example\n"


def test_hard_case_24_a_bomb_is_refused_in_little_memory():
    bomb = gzip.compress(b"0" * 60_000_000)
    assert len(bomb) < 100_000
    tracemalloc.start()
    with pytest.raises(ListError, match=r"a\.txt\.gz: unpacks to more than 2000000 octets"):
        unpack(bomb, "a.txt.gz", limit=2_000_000)
    assert tracemalloc.get_traced_memory()[1] < 8_000_000
    tracemalloc.stop()


def test_the_limit_is_exact():
    packed = gzip.compress(b"12345")
    assert unpack(packed, "a", limit=5) == b"12345"
    with pytest.raises(ListError, match="unpacks to more than 4 octets"):
        unpack(packed, "a", limit=4)


@pytest.mark.parametrize("keep", [2, 5, 12, 30, -1])
def test_hard_case_24_a_file_that_was_cut_is_refused(keep):
    packed = gzip.compress(bytes(range(256)) * 20)
    with pytest.raises(ListError, match=r"cut short|damaged"):
        unpack(packed[:keep], "a")


def test_damage_is_refused():
    packed = bytearray(gzip.compress(b"bad.example\n" * 50))
    packed[-6] ^= 1
    with pytest.raises(ListError, match="is damaged"):
        unpack(bytes(packed), "a")
    with pytest.raises(ListError, match="something after its compressed data"):
        unpack(gzip.compress(b"a") + b"b", "a")


@given(st.binary(max_size=300))
def test_no_octets_make_anything_but_a_refusal(octets):
    for attempt in (lambda: unpack(b"\x1f\x8b" + octets, "a"), lambda: ut1_files(octets, "a")):
        message = "a: "
        try:
            attempt()
        except ListError as error:
            message = str(error)
        assert message.startswith("a: ")


def test_an_archive_gives_its_two_files_and_nothing_else():
    octets = archive(
        ("warez/usage", b"black"), ("warez/domains", b"bad.example\n"), ("warez/urls", b"a.example/b\n")
    )
    assert ut1_files(octets, "a") == (b"bad.example\n", b"a.example/b\n")
    assert ut1_files(archive(("warez/domains", b"x")), "a") == (b"x", b"")


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (archive(("warez/usage", b"black")), "holds neither `domains` nor `urls`"),
        (archive(("a/domains", b"x"), ("b/domains", b"y")), "holds two files 'domains'"),
        (archive(("warez/domains", None)), "holds neither"),
        (b"bad.example\n", "is no UT1 archive"),
    ],
)
def test_what_is_no_ut1_archive_is_refused(octets, expected):
    with pytest.raises(ListError, match=expected):
        ut1_files(octets, "a")
