"""The acceptance checks of the log that are about exports; their numbers are in the names."""

from __future__ import annotations

import gzip
import importlib.util
import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from blocklists.errors import ExitCode
from crawler.decisionlog.package.layout import Encoding
from crawler.decisionlog.package.plan import PackagePlan
from crawler.decisionlog.package.verify import verify_package
from crawler.decisionlog.package.write import write_package
from crawler.decisionlog.reader import LogReader

BENCH = Path(__file__).resolve().parents[3] / "benchmarks" / "bench_export.py"

# Separators, NUL, quotes, no Unicode, IDN, a very long URL, NULL against the empty text.
HOSTILE = [
    None, "", "http://a.example/\x00", "http://a.example/\x1f|,;\t", 'http://a.example/"\'`\\', "http://a.example/\n\r",
    "http://a.example/\udcff\udc80", "http://a.example/\ud800", "http://bücher.example/ä", "http://xn--bcher-kva.example/",
    "http://a.example/%00%ff", "http://a.example/\ufeff\u202e\ufdd0", "http://a.example/" + "x" * 65_536, "\x00", "null",
    "http://a.example/\U0001f4a9",
]  # fmt: skip


@pytest.fixture(scope="session")
def bench():
    spec = importlib.util.spec_from_file_location("bench_export", BENCH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("encoding", list(Encoding))
def test_check_19_what_could_be_mistaken_for_each_other_stays_apart_to_the_octet(
    packages, encoding, entry, documents
):
    writer = packages.log.open(run_id="hostile")
    for url in HOSTILE:
        for parent in (None, "", url):
            writer.append(entry(url=url, parent_url=parent, error=url, media_type=parent), documents.values())
    segment = writer.close(seal=True).segment
    package = packages.make(encoding, segments=frozenset({segment}))
    report = packages.verify(package)
    assert report.findings == ()
    assert report.records == 3 * len(HOSTILE)
    with packages.log.reader() as reader:
        originals = list(reader.records(segment=segment))
        assert len({record.leaf_hash for record in originals}) == len(originals)
    from crawler.decisionlog.package import read_jsonl, read_parquet

    path = next((package / "urls").iterdir())
    pages = (
        read_jsonl.openings(path)
        if encoding is Encoding.JSONL
        else read_parquet.openings(path, committed=False)
    )
    found = {}
    for page in pages:
        found |= dict(zip(page["idx"], zip(page["url"], page["parent_url"], strict=True), strict=True))
    for record in originals:
        wanted = tuple(
            None if url is None else url.encode("utf-8", "surrogatepass")
            for url in (record.url, record.parent_url)
        )
        assert found.get(record.idx, (None, None)) == wanted


def test_check_24_an_export_is_small_and_its_counts_are_those_of_the_log(bench, tmp_path):
    url = bench.write_log(tmp_path / "log.db", 30_000)
    _, octets, _ = bench.measure(url, tmp_path / "package", PackagePlan())
    assert octets <= bench.OCTETS_GATE


def test_check_24_an_export_is_verified_where_there_is_no_database(packages, tmp_path):
    package = packages.make()
    kept = tmp_path / "kept"
    kept.write_text(str(packages.kept.note))
    packages.log.path.unlink()
    code = (
        "import sqlite3, sys\n"
        "real = sqlite3.connect\n"
        "sqlite3.connect = lambda name, *a, **k: real(name, *a, **k) if name == '' else sys.exit('a database was opened')\n"
        "from crawler.cli import main\n"
        f"sys.exit(main(['log', 'verify', '--export', {str(package)!r}, '--known-checkpoint', {str(kept)!r}, '--format', 'json']))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert json.loads(result.stdout)["intact"] is True


QUERIES = (
    "SELECT stage, verdict, reason, count(*), min(ts_us), max(ts_us), sum(size) FROM {} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    "SELECT host, count(*) FROM {} WHERE verdict = 'skip' GROUP BY host ORDER BY 2 DESC, 1 LIMIT 20",
    "SELECT idx, ref_idx, status, attempt FROM {} WHERE idx % 997 = 3 ORDER BY idx",
)


def test_check_24_duckdb_answers_from_the_files_what_the_database_answers(bench, tmp_path):
    duckdb = pytest.importorskip("duckdb", reason="the test extra brings it")
    url = bench.write_log(tmp_path / "log.db", 5_000)
    with LogReader.open(url) as reader:
        write_package(reader, tmp_path / "package", PackagePlan(), now_us=0)
        for query in QUERIES:
            answer = duckdb.sql(query.format(f"'{tmp_path}/package/records/*.parquet'")).fetchall()
            assert answer == reader.query(query.format("decisions"))
            assert answer
        joined = (
            f"SELECT r.idx, u.url FROM '{tmp_path}/package/records/*.parquet' r"
            f" JOIN '{tmp_path}/package/urls/*.parquet' u USING (idx) WHERE r.idx % 97 = 1 ORDER BY r.idx"
        )
        assert duckdb.sql(joined).fetchall() == reader.query(
            "SELECT idx, url FROM decisions WHERE idx % 97 = 1 ORDER BY idx"
        )


def test_exporting_and_verifying_take_no_more_memory_for_a_log_ten_times_as_large(bench, tmp_path):
    """Each size in a process of its own, because memory that was once used stays with it."""
    peaks = []
    for records in (10_000, 150_000):
        code = (
            "import importlib.util, sys\n"
            f"spec = importlib.util.spec_from_file_location('bench', {str(BENCH)!r})\n"
            "bench = importlib.util.module_from_spec(spec); spec.loader.exec_module(bench)\n"
            "from pathlib import Path\n"
            "from crawler.decisionlog.package.plan import PackagePlan\n"
            f"folder = Path({str(tmp_path)!r})\n"
            f"bench.measure('sqlite:///' + str(folder / 'log-{records}.db'), folder / 'package-{records}', PackagePlan())\n"
            "print(bench.peak_mib())\n"
        )
        bench.write_log(tmp_path / f"log-{records}.db", records)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        peaks.append(float(done.stdout))
    assert peaks[1] < peaks[0] + 120, peaks


@pytest.mark.long
def test_check_24_ten_million_records_are_exported_within_the_gates(bench, tmp_path):
    url = bench.write_log(tmp_path / "log.db", 10_000_000)
    as_the_command_does = PackagePlan(readers=bench.readers_here())
    rate, octets, verified = bench.measure(url, tmp_path / "package", as_the_command_does)
    peaks = [bench.peak_mib(), bench.peak_mib(resource.RUSAGE_CHILDREN)]
    print(f"{rate:,.0f} records/s, {octets:.1f} octets each, {verified:,.0f} verified/s, {peaks} MiB")
    assert octets <= bench.OCTETS_GATE
    assert rate >= bench.RATE_GATE
    assert max(peaks) < 1024


def test_an_export_is_on_the_record_of_its_log_and_the_log_stays_intact(
    packages, tmp_path, monkeypatch, capsys
):
    from crawler.cli import main

    target = tmp_path / "out"
    assert main(["log", "export", "--log", packages.log.url, "--package", str(target)]) == 0
    assert "20 records, 2 segments" in capsys.readouterr().out
    with packages.log.reader() as reader:
        events = [leaf.event for leaf in reader.leaves({"export"})]
        roots = [info.root for info in reader.segments()]
    assert [(event.place, event.root, event.size) for event in events] == [
        (str(target), root, 10) for root in roots
    ]
    assert main(["log", "verify", "--log", packages.log.url]) == 0
    assert main(["log", "verify", "--export", str(target)]) == ExitCode.UNVERIFIABLE
    assert main(["log", "export", "--log", packages.log.url, "--package", str(target)]) == ExitCode.REFUSED
    other = tmp_path / "copy"
    assert (
        main(
            [
                "log",
                "export",
                "--log",
                packages.log.url,
                "--package",
                str(other),
                "--no-record",
                "--run",
                "run-2",
            ]
        )
        == 0
    )
    with packages.log.reader() as reader:
        assert len(list(reader.leaves({"export"}))) == 2
    assert [part.run for part in verify_package(other).segments] == ["run-2"]


@pytest.mark.parametrize("recorded", [[], ["--no-record"]])
def test_a_package_that_does_not_verify_is_not_delivered_in_silence(packages, recorded, tmp_path, capsys):
    from crawler.cli import main

    packages.log.unguarded().execute("DELETE FROM opening WHERE idx = 4")
    words = ["log", "export", "--log", packages.log.url, "--package", str(tmp_path / "out"), *recorded]
    assert main(words) == ExitCode.TAMPERED
    assert "does not verify" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        ["--format", "parquet"], ["--without-urls"], ["--segment", "1"], ["--no-record"], ["--with-commitments"],
        ["--package", "x", "--format", "csv"], ["--package", "x", "--host", "a.example"],
        ["--package", "x", "--verdict", "skip"], ["--package", "x", "--run", "nosuch"], ["--package", "x", "--segment", "zz"],
    ],
)  # fmt: skip
def test_options_that_do_not_go_together_are_refused_before_anything_is_written(
    packages, wrong, capsys, monkeypatch, tmp_path
):
    from crawler.cli import main

    monkeypatch.chdir(tmp_path)
    assert main(["log", "export", "--log", packages.log.url, *wrong]) == ExitCode.USAGE
    assert not (tmp_path / "x").exists()
    assert capsys.readouterr().err.count("\n") <= 2


@pytest.mark.parametrize("encoding", list(Encoding))
def test_check_23_an_erased_url_is_in_no_later_export_and_the_export_verifies(
    packages, encoding, independent, capsys
):
    from crawler.cli import main

    url = "http://a.example/page/2"
    plain = url.encode()
    before = packages.make(encoding)
    erase = [
        "log",
        "erase",
        url,
        "--basis",
        "request 17",
        "--actor",
        "compliance",
        "--log",
        packages.log.url,
        "--yes",
    ]
    assert main(erase) == 0, capsys.readouterr().err
    package = packages.make(encoding)
    report = packages.verify(package)
    assert report.findings == ()
    assert report.openings < verify_package(before).openings
    for path in (package / "urls").iterdir():
        octets = path.read_bytes() if encoding is Encoding.PARQUET else gzip.decompress(path.read_bytes())
        assert plain not in octets
    assert independent(package, packages.vkey, packages.kept.place) == (
        (0, []) if encoding is Encoding.JSONL else (6, [])
    )
    assert independent(packages.log.path, packages.vkey, packages.kept.place) == (0, [])


def test_a_url_that_is_gone_from_a_package_without_a_word_is_found(packages, repair, independent):
    package = packages.make(Encoding.JSONL)
    path = min((package / "urls").iterdir())
    path.write_bytes(
        gzip.compress(b"".join(gzip.decompress(path.read_bytes()).splitlines(keepends=True)[1:]))
    )
    repair(package)
    assert {finding.problem.value for finding in packages.verify(package).findings} == {"url_missing"}
    assert independent(package, packages.vkey, packages.kept.place)[0] == 4
