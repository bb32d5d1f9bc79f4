"""An index finds exactly the listed names that a host stands under, whichever form it has."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists.entry import Entry, Match, Source, Weight
from blocklists.errors import ListError
from blocklists.index import SetIndex, collect_names, decode_names, encode_names
from blocklists.index_marisa import MappedIndex, build_index
from blocklists.matcher import DictMatcher
from blocklists.store_load import StoredMatcher
from blocklists.store_rows import Rows, host_key, write_rows

LABELS = st.sampled_from(["a", "b", "bad", "notbad", "x-1", "example", "com"])
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
PATHS = st.sampled_from(["", "/", "/un", "/un/deux", "/un?f=1"])
SOURCES = tuple(
    Source(source_id=name, title=name, sha256="0" * 64, weight=Weight.COMMUNITY) for name in ("one", "two")
)


@st.composite
def entries(draw):
    found = []
    for number in range(draw(st.integers(1, 12))):
        match = draw(st.sampled_from(list(Match)))
        pattern = "1.2.3.4" if match is Match.IP else draw(HOSTS)
        if match is Match.URL_PREFIX:
            pattern += draw(PATHS.filter(bool))
        found.append(
            Entry(
                pattern_raw=draw(st.sampled_from([pattern, pattern.upper() + " # é"])),
                pattern=pattern,
                match=match,
                source_id=draw(st.sampled_from(["one", "two"])),
                line_no=number + 1,
                weight=draw(st.sampled_from(list(Weight))),
                authority=draw(st.sampled_from(["", "A Court"])),
            )
        )
    return found


@settings(max_examples=60, deadline=None)
@given(
    listed=entries(), asked=st.lists(st.one_of(HOSTS, st.just("1.2.3.4")), min_size=1, max_size=8), path=PATHS
)
def test_every_form_gives_the_hits_of_the_dictionaries(listed, asked, path):
    plain = DictMatcher(listed, SOURCES)
    names = collect_names((host_key(entry), entry.match) for entry in listed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = [[entry for entry in listed if entry.source_id == source.source_id] for source in SOURCES]
        write_rows(folder / "rows", SOURCES, own)
        build_index(names, folder / "index")
        rows = Rows(folder / "rows")
        forms = (SetIndex(names), MappedIndex(folder / "index", has_hosts=bool(names.exact or names.prefix)))
        for form in forms:
            stored = StoredMatcher(form, rows, len(listed))
            for host in (*asked, *(f"www.{host_key(entry)}" for entry in listed)):
                url = f"http://{host}{path}"
                assert stored.match(host, now_us=0, url=url) == plain.match(host, now_us=0, url=url)
        assert list(rows.every()) == [entry for part in own for entry in part]
        rows.close()


@given(st.lists(st.tuples(HOSTS, st.sampled_from(list(Match)))))
def test_the_names_file_gives_back_what_was_written(keys):
    names = collect_names(keys)
    assert decode_names(encode_names(names)) == names


@pytest.mark.parametrize("octets", [b"", b"a\n\nb", b"a\n\nb\n\nc\n\nd", b"\xff\n\n\n\n"])
def test_a_damaged_names_file_is_refused(octets):
    with pytest.raises(ListError, match="names file of the snapshot"):
        decode_names(octets)


def test_labels_are_boundaries_in_every_form(tmp_path):
    names = collect_names([("bad.example", Match.SUBTREE), ("only.example", Match.HOST)])
    build_index(names, tmp_path / "index")
    for form in (SetIndex(names), MappedIndex(tmp_path / "index", has_hosts=True)):
        assert form.find("a.b.bad.example") == ("bad.example",)
        assert form.find("notbad.example") == form.find("bad.example.org") == form.find("example") == ()
        assert form.find("only.example") == ("only.example",)
        assert form.find("x.only.example") == ()


def test_an_index_that_is_no_index_is_refused(tmp_path):
    (tmp_path / "index").write_bytes(b"not a trie")
    with pytest.raises(ListError, match="cannot be mapped"):
        MappedIndex(tmp_path / "index", has_hosts=False)
