"""A Parquet file whose records are true and whose metadata are not answers every query falsely: that is found."""

from __future__ import annotations

import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crawler.cli import main
from crawler.decisionlog.findings import Problem
from crawler.decisionlog.package import read_parquet
from crawler.decisionlog.package.layout import Encoding, PackageError
from crawler.decisionlog.package.parquet_footer import number, read_footer, structs
from crawler.decisionlog.package.read_parquet import openings, records
from tests.crawler.decisionlog.package.test_forged_packages import first


@pytest.fixture
def forged(packages, repair):
    """Verify a package whose first file of records was changed as given, and return what is found."""
    package = packages.make(Encoding.PARQUET)

    def verify(change, folder="records"):
        path = first(package, folder)
        change(path)
        repair(package)
        report = packages.verify(package)
        assert {finding.problem for finding in report.findings} <= {Problem.FILE_DAMAGED}
        return " ".join(finding.text for finding in report.findings)

    verify.package = package
    return verify


def footer_of(path):
    octets = path.read_bytes()
    return len(octets) - 8 - int.from_bytes(octets[-8:-4], "little")


def state(old, new):
    """Exchange octets of the metadata by as many others."""

    def change(path):
        octets = path.read_bytes()
        footer = footer_of(path)
        assert octets.count(old, footer)
        path.write_bytes(octets[:footer] + octets[footer:].replace(old, new))

    return change


def written(**options):
    """Write the same table otherwise."""

    def change(path):
        table = pq.read_table(path)
        pq.write_table(table, path, compression="zstd", **options)

    return change


def test_bounds_that_hide_verdicts_from_a_query_are_found(forged):
    query = "SELECT count(*) FROM '{}/records/*.parquet' WHERE verdict = 'received'"
    duckdb = pytest.importorskip("duckdb")
    assert duckdb.sql(query.format(forged.package)).fetchall() == [(6,)]
    assert "other bounds of verdict" in forged(state(b"received", b"keep\0\0\0\0"))
    assert duckdb.sql(query.format(forged.package)).fetchall() == [(3,)], "the other file is as it was"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"write_page_index": True}, "an index or a filter"),
        ({"bloom_filter_options": {"host": True}}, "an index or a filter"),
        ({"sorting_columns": [pq.SortingColumn(0)]}, "an order of its rows"),
        ({"write_statistics": False}, "states nothing of idx"),
        ({"write_statistics": ["idx"]}, "states nothing of"),
    ],
)
def test_what_an_engine_could_go_by_beside_the_records_is_found(forged, options, text):
    try:
        assert text in forged(written(**options))
    except TypeError:
        pytest.skip("this version of pyarrow writes none")


def test_octets_that_belong_to_no_column_are_found(forged):
    def change(path):
        octets, footer = path.read_bytes(), footer_of(path)
        path.write_bytes(octets[:footer] + bytes(64) + octets[footer:])

    assert "belong to no column" in forged(change)


def test_another_number_of_rows_is_found(forged):
    """A count of all rows is answered from the metadata alone."""

    def change(path):
        octets, footer = bytearray(path.read_bytes()), footer_of(path)
        at = octets.index(b"\x16\x14", footer)  # field 3, of 64 bits: ten
        octets[at + 1] = 0x16
        path.write_bytes(octets)

    assert forged(change)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        pytest.param(
            b"\x36\x00\x28\x08received", b"\x36\x00\x16\x02\x18\x08received", "something of", id="distinct"
        ),
        pytest.param(b"\x11\x11\x00", b"\x11\x11\x16\x02\x00", "something of", id="unknown field"),
        pytest.param(b"\x11\x11\x00", b"\x12\x11\x00", "something of", id="not exact"),
        pytest.param(b"\x15\x0c\x16\x14", b"\x15\x0c\x16\x16", "number of values", id="values"),
        pytest.param(b"\x29\x06\x19\x26\x00\x14", b"\x29\x06\x19\x26\x02\x12", "sizes", id="nulls"),
    ],
)
def test_what_only_metadata_say_of_a_column_is_found(forged, old, new, text):
    def change(path):
        octets = path.read_bytes()
        footer = footer_of(path)
        stated = octets[footer:-8]
        assert old in stated
        stated = stated.replace(old, new)
        path.write_bytes(octets[:footer] + stated + len(stated).to_bytes(4, "little") + b"PAR1")

    assert text in forged(change)


@pytest.mark.parametrize("rows", [1, 3, 7])
def test_groups_of_any_number_of_rows_hold_when_they_are_true(forged, rows):
    assert forged(written(row_group_size=rows)) == ""
    assert forged(written(row_group_size=rows), "urls") == ""


def test_values_too_long_for_statistics_hold(tmp_path, packages, entry, documents):
    writer = packages.log.open(run_id="long")
    for error in (None, "x" * 5000, "\U0001f4a9" * 2000, ""):
        writer.append(entry(error=error, url="http://a.example/" + "y" * 9000), documents.values())
    segment = writer.close(seal=True).segment
    package = packages.make(Encoding.PARQUET, segments=frozenset({segment}))
    assert packages.verify(package).findings == ()


def test_no_flipped_bit_of_the_metadata_ends_the_process_or_gives_other_records(packages, tmp_path):
    """pyarrow itself calls abort() when it is asked of columns that contradict their schema."""
    package = packages.make(Encoding.PARQUET)
    chance = random.Random(5)
    for folder, read in (("records", records), ("urls", openings)):
        source = first(package, folder)
        truth = list(read(source, committed=False))
        octets, footer = source.read_bytes(), footer_of(source)
        path = tmp_path / source.name
        for _ in range(150):
            changed = bytearray(octets)
            changed[chance.randrange(footer, len(octets))] ^= 1 << chance.randrange(8)
            path.write_bytes(changed)
            try:
                assert list(read(path, committed=False)) == truth
            except (ValueError, PackageError):
                continue


def test_a_file_that_takes_more_memory_than_there_is_is_not_called_changed(packages, monkeypatch):
    package = packages.make(Encoding.PARQUET)

    class Small(pq.ParquetFile):
        def iter_batches(self, **_):
            raise pa.ArrowMemoryError("realloc of size 1856001920 failed")

    monkeypatch.setattr(read_parquet, "load_pyarrow", lambda: (pa, type("pq", (), {"ParquetFile": Small})))
    with pytest.raises(PackageError, match="memory"):
        packages.verify(package)


def test_the_footer_is_read_as_pyarrow_reads_it(packages):
    for path in (packages.make(Encoding.PARQUET) / "records").iterdir():
        octets = path.read_bytes()
        stated, metadata = read_footer(octets[footer_of(path) : -8]), pq.ParquetFile(path).metadata
        assert number(stated, 3) == metadata.num_rows
        (group,) = structs(stated, 4)
        assert number(group, 3) == metadata.row_group(0).num_rows
        assert stated[6].decode() == metadata.created_by
        assert len(structs(group, 1)) == metadata.num_columns


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x15",
        b"\x1c" * 200,
        b"\x19\xfc\xff\xff\xff\xff\x0f",
        b"\x15" + b"\x80" * 20,
        b"\x1b\x00",
        b"\x0f",
    ],
)
def test_metadata_that_are_none_are_refused(octets):
    with pytest.raises(ValueError, match=r"metadata|map"):
        read_footer(octets)


@pytest.mark.parametrize(
    ("name", "value", "withheld"),
    [
        ("url", "http://invented.example/", True),
        ("parent_url", "http://invented.example/", True),
        ("url_octets", b"http://invented.example/\xff", True),
        ("url_commit", b"\1" * 32, False),
        ("parent_commit", b"\1" * 32, False),
    ],
)
def test_what_is_written_beside_an_erased_url_or_beside_one_that_is_there_is_found(
    packages, repair, name, value, withheld
):
    """Neither goes into a leaf: a URL of anybody's choice would be read as that of the erased record."""
    words = ["--basis", "request 17", "--actor", "compliance", "--log", packages.log.url, "--yes"]
    assert main(["log", "erase", "http://a.example/page/2", *words]) == 0
    package = packages.make(Encoding.PARQUET)
    assert packages.verify(package).findings == ()
    path = first(package, "urls")
    table = pq.read_table(path)
    columns = table.to_pydict()
    columns[name][next(at for at, salt in enumerate(columns["salt"]) if (salt is None) is withheld)] = value
    pq.write_table(pa.table(columns, schema=table.schema), path, compression="zstd")
    repair(package)
    report = packages.verify(package)
    assert Problem.FILE_DAMAGED in {finding.problem for finding in report.findings}
    assert "a row has a" in " ".join(finding.text for finding in report.findings)
