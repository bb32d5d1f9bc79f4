"""A URL is found whatever its host's number of records, and no index makes an answer false without being noticed."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from blocklists.errors import ExitCode
from crawler.cli import main
from crawler.decisionlog import schema, store, url_index, verify_url_index
from crawler.decisionlog.errors import IntegrityError
from crawler.decisionlog.findings import Problem
from crawler.decisionlog.keys import load_key
from crawler.decisionlog.lookup import lookup, parse_target
from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.retention import prune
from crawler.decisionlog.retention.acts import Actor
from crawler.decisionlog.retention.plan import plan
from crawler.decisionlog.retention.schedule import load_schedule
from crawler.decisionlog.rollup import pack_places, unpack_places
from crawler.decisionlog.url_index import FEWEST, UrlKey, places_of
from crawler.decisionlog.verify import verify_log
from policies.vocabulary import Stage
from tests.crawler.decisionlog.conftest import LISTS, POLICY, Log, make_entry

BIG, OTHER, SMALL = "big.example", "other.example", "small.example"
OFTEN = f"http://{BIG}/often"
ODD = (
    f"http://{BIG}/\udcff",
    f"http://{BIG}/\0",
    f"http://{BIG}/\ufdd0",
    f"http://{BIG}/ü",
    f"https://{BIG}/1",
)
ABSENT = tuple(f"http://{BIG}/absent/{number}" for number in range(9))
ERASING = ("--basis", "request 17", "--actor", "tests", "--yes")


def write_big(log, run, pages, *, seal=True, repeated=0):
    """A page is a decision and an outcome; beside them a host with as many records, and one with few."""
    writer = log.open(run_id=run)
    urls = [f"http://{BIG}/{page}" for page in range(pages)] + list(ODD) + [OFTEN] * repeated
    writer.append(make_entry(host=SMALL, url=f"http://{SMALL}/"), [POLICY, LISTS])
    for number, url in enumerate(urls):
        asked = writer.append(
            make_entry(host=BIG, url=url, parent_url=f"http://{BIG}/" if number % 7 == 1 else None)
        )
        writer.append(
            make_entry(
                host=BIG,
                url=url,
                stage=Stage.OUTCOME,
                verdict="received",
                reason="received",
                ref_idx=asked.idx,
            )
        )
        if number < FEWEST:
            writer.append(make_entry(host=OTHER, url=f"http://{OTHER}/{number}"))
        if number % 500 == 0:
            writer.append(make_entry(host=None, url=None), wait=True).result(10)
    if seal:
        assert writer.close(seal=True) is not None, writer.failed
    return writer


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Two sealed runs in which a host has some thousand records, more than a page of them of one URL."""
    log = Log(tmp_path_factory.mktemp("written"))
    write_big(log, "run-1", 1_300, repeated=300)
    write_big(log, "run-2", 600)
    return log


@pytest.fixture
def big(written, tmp_path):
    return written.copied(tmp_path / "big")


def ask(log, url, **options):
    with log.reader() as reader:
        return lookup(reader, parse_target(url), **options)


def exhaustive(log, url):
    return ask(log, url, exhaustive=True)


def same_but_for_the_way(one, other):
    return (one.hosts, one.records, one.unopened, one.segments) == (
        other.hosts, other.records, other.unopened, other.segments,
    )  # fmt: skip


def index_of(log):
    """Rows of the index by segment and host: key, buckets, bodies."""
    raw = log.raw()
    keys = raw.execute("SELECT segment_id, host, key, buckets FROM url_key").fetchall()
    bodies = "SELECT body FROM url_posting WHERE segment_id = ? AND host = ? ORDER BY bucket"
    return {(row[0], row[1]): (*row[2:], [body for (body,) in raw.execute(bodies, row[:2])]) for row in keys}


QUESTIONS = (*ODD, *ABSENT, OFTEN, *(f"http://{BIG}/{page}" for page in range(0, 1_300, 250)))


def test_the_index_answers_as_reading_every_record_does(written):
    for url in QUESTIONS:
        answer = ask(written, url)
        assert answer.by_url_index == 2
        assert {record.url for record in answer.records} <= {url}
        assert same_but_for_the_way(answer, exhaustive(written, url)), url
    assert [len(ask(written, url).records) for url in (*ODD, OFTEN, *ABSENT[:2])] == [
        4,
        4,
        4,
        4,
        4,
        600,
        0,
        0,
    ]
    assert ask(written, f"http://{BIG}/1").records != ask(written, f"https://{BIG}/1").records


def test_only_hosts_with_many_records_have_an_index_and_it_takes_few_octets(written):
    index = index_of(written)
    assert sorted(index) == [(1, BIG), (1, OTHER), (2, BIG), (2, OTHER)]
    assert [len(index[1, host][2]) for host in (BIG, OTHER)] == [6, 1]
    assert all(len(bodies) == buckets for _, buckets, bodies in index.values())
    assert sum(len(body) for _, _, bodies in index.values() for body in bodies) < 5 * (
        3_200 + 1_200 + 2 * FEWEST
    )
    assert len({key for key, _, _ in index.values()}) == 4, "a key of its own for each"
    for url in (f"http://{SMALL}/", f"http://{OTHER}/7"):
        assert same_but_for_the_way(ask(written, url), exhaustive(written, url))
    assert (
        ask(written, f"http://{SMALL}/").by_url_index,
        ask(written, f"http://{OTHER}/7").by_url_index,
    ) == (0, 2)


def cost(log, url, monkeypatch):
    """How many statements a look-up takes, and how many rows they give."""
    statements, rows = [], []
    with log.reader() as reader, monkeypatch.context() as patch:
        for name in ("_rows", "_rows_at"):
            real = getattr(LogReader, name)

            def counted(self, *given, real=real):
                found = real(self, *given)
                rows.append(len(found))
                return found

            patch.setattr(LogReader, name, counted)
        raw = store.driver(reader._connection)
        raw.set_trace_callback(statements.append)
        assert lookup(reader, parse_target(url)).by_url_index
        raw.set_trace_callback(None)
    return len(statements), sum(rows)


@pytest.mark.parametrize("url", [f"http://{BIG}/5", ABSENT[0]])
def test_the_cost_of_a_url_does_not_grow_with_the_records_of_its_host(tmp_path, monkeypatch, url):
    monkeypatch.setattr(url_index.secrets, "token_bytes", bytes)  # so that no digest is alike by chance
    costs = []
    for pages in (600, 8_000):
        folder = tmp_path / str(pages)
        folder.mkdir()
        log = Log(folder)
        write_big(log, "run", pages)
        costs.append(cost(log, url, monkeypatch))
        connection = log.raw()
        assert connection.execute("SELECT max(length(body)) FROM url_posting").fetchone()[0] < 4_000
    assert costs[0] == costs[1]
    assert costs[0][0] <= 14
    assert costs[0][1] <= 15


def test_the_cost_does_not_grow_with_segments_but_by_their_rows(written, big, monkeypatch):
    few = cost(written, f"http://{BIG}/5", monkeypatch)
    for run in range(4):
        write_big(big, f"more-{run}", 600)
    many = cost(big, f"http://{BIG}/5", monkeypatch)
    assert many[0] == few[0]
    assert len(ask(big, f"http://{BIG}/5").records) == 12
    assert many[1] - few[1] <= 4 * 13


FLIP = "UPDATE url_posting SET body = CAST(substr(body, 1, {at}) || x'{octet}' || substr(body, {at} + 2) AS BLOB)"
WRONG = {
    "a signature": FLIP.format(at=5, octet="00"),
    "a place": FLIP.format(at=70, octet="05"),
    "a tag": FLIP.format(at=64, octet="77"),
    "cut off": "UPDATE url_posting SET body = substr(body, 1, length(body) - 9)",
    "nothing left": "UPDATE url_posting SET body = x''",
    "a signature of nothing": "UPDATE url_posting SET body = substr(body, 1, 64)",
    "longer": "UPDATE url_posting SET body = CAST(body || x'000101' AS BLOB)",
    "key": "UPDATE url_key SET key = randomblob(16)",
    "no key": "UPDATE url_key SET key = x''",
    "a key that is too long": "UPDATE url_key SET key = zeroblob(65)",
    "fewer buckets": "UPDATE url_key SET buckets = 1",
    "more buckets": "UPDATE url_key SET buckets = buckets * 2",
    "no buckets": "UPDATE url_key SET buckets = 0",
    "negative buckets": "UPDATE url_key SET buckets = -5",
    "far too many buckets": "UPDATE url_key SET buckets = 9223372036854775807",
    "another bucket": "UPDATE url_posting SET bucket = bucket + 100;"
    "UPDATE url_posting SET bucket = (bucket - 99) % (SELECT k.buckets FROM url_key k WHERE k.segment_id ="
    " url_posting.segment_id AND k.host = url_posting.host)",
    "another segment": "UPDATE url_posting SET body = coalesce((SELECT o.body FROM url_posting o WHERE o.segment_id ="
    " 3 - url_posting.segment_id AND o.host = url_posting.host AND o.bucket = url_posting.bucket), x'00')",
    "all of another segment": "UPDATE url_posting SET segment_id = 9 - segment_id;"
    "UPDATE url_key SET segment_id = 9 - segment_id; UPDATE url_posting SET segment_id = segment_id - 6;"
    "UPDATE url_key SET segment_id = segment_id - 6",
    "all of another host": "UPDATE url_key SET host = 'x' || host; UPDATE url_posting SET host = 'x' || host;"
    f"UPDATE url_key SET host = '{BIG}' WHERE host = 'x{OTHER}';"
    f"UPDATE url_posting SET host = '{BIG}' WHERE host = 'x{OTHER}'",
    "key and parts gone": "DELETE FROM url_key; DELETE FROM url_posting",
    "keys gone": "DELETE FROM url_key",
    "parts gone": "DELETE FROM url_posting",
    "a part gone": "DELETE FROM url_posting WHERE bucket % 2 = 0",
    "tables gone": "DROP TABLE url_key; DROP TABLE url_posting",
}
EVERYWHERE = {"a signature", "cut off", "nothing left", "longer", "key", "no key", "another bucket", "another segment",
              "a key that is too long", "all of another segment"}  # fmt: skip


@pytest.fixture(scope="module")
def right(written):
    """Some questions with their answers, for which every record was read."""
    return {url: exhaustive(written, url) for url in (ODD[0], *ABSENT[:3], OFTEN, f"http://{BIG}/83")}


@pytest.mark.parametrize("how", WRONG)
def test_an_index_that_is_wrong_is_noticed_or_not_needed(right, big, how):
    big.unguarded().executescript(WRONG[how])
    assert same_but_for_the_way(exhaustive(big, OFTEN), right[OFTEN])
    noticed = 0
    for url, wanted in right.items():
        try:
            answer = ask(big, url)
        except IntegrityError as error:
            noticed += "--exhaustive" in str(error)
        else:
            assert same_but_for_the_way(answer, wanted)
    if how in EVERYWHERE:
        assert noticed == len(right)
    if "gone" in how:
        assert noticed == 0


def signed_anew(log, key, change):
    """Put in a part's place what somebody with a key makes of it."""
    connection = log.unguarded()
    with log.reader() as reader:
        infos = {info.number: info for info in reader.segments()}
    for number, host, secret, buckets in connection.execute("SELECT * FROM url_key").fetchall():
        about = UrlKey(
            segment=infos[number].segment, size=infos[number].size, host=host, key=secret, buckets=buckets
        )
        rows = connection.execute(
            "SELECT bucket, body FROM url_posting WHERE segment_id = ? AND host = ?", (number, host)
        )
        for bucket, body in rows.fetchall():
            payload = change(body[64:])
            signed = key.sign(about.signed(bucket, payload)) + payload
            connection.execute(
                "UPDATE url_posting SET body = ? WHERE segment_id = ? AND host = ? AND bucket = ?",
                (signed, number, host, bucket),
            )


def test_only_the_key_of_the_log_signs_an_index(big):
    signed_anew(big, Ed25519PrivateKey.generate(), bytes)
    with pytest.raises(IntegrityError, match="its signature is not that of the log"):
        ask(big, f"http://{BIG}/5")


def groups(payload):
    """Tag and places of each URL."""
    at = 0
    while at < len(payload):
        tag, length, shift = payload[at : at + 2], 0, 0
        at += 2
        while payload[at] & 0x80:
            length, shift, at = length | (payload[at] & 0x7F) << shift, shift + 7, at + 1
        length |= payload[at] << shift
        yield tag, list(unpack_places(payload[at + 1 : at + 1 + length]))
        at += 1 + length


def elsewhere(payload):
    """What names for every URL a record behind its own."""
    out = bytearray()
    for tag, places in groups(payload):
        packed = pack_places([places[0] + 3])
        out += tag + pack_places([len(packed)]) + packed
    return bytes(out)


def test_what_the_owner_of_the_key_leaves_out_is_found_by_reading_and_what_he_puts_in_by_itself(big):
    key = load_key(big.path.with_name("sekisho.db.key"))
    url = f"http://{BIG}/590"
    signed_anew(big, key, elsewhere)
    with pytest.raises(IntegrityError, match="of another URL"):
        ask(big, url)
    signed_anew(big, key, lambda payload: b"")
    assert ask(big, url).records == ()
    assert len(exhaustive(big, url).records) == 4


def test_an_index_that_names_what_is_not_there_is_noticed(big):
    big.unguarded().execute("DELETE FROM record WHERE segment_id = 1 AND host = ?", (BIG,))
    with pytest.raises(IntegrityError, match="which is not there"):
        ask(big, f"http://{BIG}/5")
    with pytest.raises(IntegrityError, match="do not fit its sums"):
        exhaustive(big, f"http://{BIG}/5")


def test_reading_every_record_finds_one_that_is_gone(big):
    big.unguarded().execute(
        "DELETE FROM record WHERE segment_id = 2 AND idx = (SELECT max(idx) FROM record WHERE host = ?)",
        (BIG,),
    )
    big.unguarded().execute(
        "DELETE FROM record WHERE segment_id = 2 AND host = ? AND stage = 'request' AND idx > 900", (BIG,)
    )
    with pytest.raises(IntegrityError, match="do not fit its sums"):
        exhaustive(big, ABSENT[0])


def compared(log):
    with log.reader() as reader:
        return verify_log(reader, url_index=True)


def test_verify_compares_the_index_with_the_records_when_it_is_asked_to(written, right, capsys):
    report = compared(written)
    assert report.findings == ()
    assert "4 indexes of URLs were compared with the records" in report.notes
    words = ("log", "verify", "--log", written.url)
    assert main([*words]) == ExitCode.DONE
    assert "indexes of URLs" not in capsys.readouterr().out
    assert main([*words, "--url-index"]) == ExitCode.DONE
    assert "4 indexes of URLs were compared" in capsys.readouterr().out
    assert main([*words, "--url-index", "--export", "package"]) == ExitCode.USAGE


@pytest.mark.parametrize("how", [how for how in WRONG if how not in {"key and parts gone", "tables gone"}])
def test_verify_finds_every_index_that_is_wrong_and_nothing_else(big, how):
    big.unguarded().executescript(WRONG[how])
    report = compared(big)
    assert {finding.problem for finding in report.findings} == {Problem.URL_INDEX_WRONG}
    assert report.exit_code == ExitCode.TAMPERED
    with big.reader() as reader:
        assert verify_log(reader).findings == (), "it is no evidence"


def test_verify_finds_what_the_owner_of_the_key_leaves_out(big):
    signed_anew(big, load_key(big.path.with_name("sekisho.db.key")), lambda payload: b"")
    assert len(compared(big).findings) == 6 + 2 + 1 + 1, "parts of the four indexes"


def test_verify_wants_no_index_where_there_is_none_and_finds_one_that_an_erasure_should_have_taken(big):
    kept = [big.raw().execute(f"SELECT * FROM {table}").fetchall() for table in ("url_key", "url_posting")]
    erase(big, f"http://{BIG}/1234")
    assert compared(big).findings == ()
    connection = big.unguarded()
    for table, rows in zip(("url_key", "url_posting"), kept, strict=True):
        connection.executemany(
            f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows
        )
    (finding,) = compared(big).findings
    assert "a URL of that host is missing, and may stand in it" in finding.text
    connection.executescript("DROP TABLE url_key; DROP TABLE url_posting")
    assert compared(big).findings == ()


def test_what_is_erased_while_verify_compares_is_no_finding(big, monkeypatch):
    real = verify_url_index.made_anew

    def then_erased(*given):
        if main(["log", "erase", f"http://{BIG}/1234", "--log", big.url, *ERASING]) == ExitCode.USAGE:
            assert given[1] == 2, "it was erased when the first segment was compared"
        return real(*given)

    monkeypatch.setattr(verify_url_index, "made_anew", then_erased)
    assert compared(big).findings == ()


def test_a_record_that_an_index_names_twice_is_in_the_answer_once(big):
    signed_anew(big, load_key(big.path.with_name("sekisho.db.key")), lambda payload: payload * 2)
    url = f"http://{BIG}/5"
    assert same_but_for_the_way(ask(big, url), exhaustive(big, url))


# erasure and pruning


def octets_of(log):
    return b"".join(
        path.read_bytes() for path in log.path.parent.iterdir() if path.name.startswith(log.path.name)
    )


def erase(log, url):
    assert main(["log", "erase", url, "--log", log.url, *ERASING]) == ExitCode.DONE


def test_check_23_nothing_of_an_erased_url_stays_in_an_index_and_the_answer_stays_right(big, capsys):
    url, before = f"http://{BIG}/1234", index_of(big)
    key, _, bodies = before[1, BIG]
    assert all(part in octets_of(big) for part in (key, bodies[0][:64], bodies[-1][-20:]))
    erase(big, url)
    assert sorted(index_of(big)) == [(1, OTHER), (2, BIG), (2, OTHER)], "run-2 has no such page"
    left = octets_of(big)
    assert key not in left
    for body in bodies:
        pieces = [body[at : at + 16] for at in range(0, len(body) - 16, 24)]
        assert not any(piece in left for piece in pieces if len(set(piece)) > 8), "but for zeros"
    assert all(index_of(big)[each] == before[each] for each in index_of(big))
    gone, kept = ask(big, url), ask(big, f"http://{BIG}/5")
    assert (len(gone.records), gone.unopened, gone.by_url_index) == (0, 2, 1)
    assert (len(kept.records), kept.unopened, kept.by_url_index) == (4, 2, 1)
    assert same_but_for_the_way(gone, exhaustive(big, url))
    with big.reader() as reader:
        assert verify_log(reader).findings == ()
    assert main(["log", "lookup", url, "--log", big.url]) == ExitCode.DONE
    assert "The URLs of 2 records of this host were erased: one may be this one." in capsys.readouterr().out


def test_check_23_erasing_a_parent_takes_the_index_of_the_hosts_that_name_it(big):
    erase(big, f"http://{BIG}/")
    assert sorted(index_of(big)) == [(1, OTHER), (2, OTHER)]
    answer = ask(big, f"http://{BIG}/1")
    assert [record.stage for record in answer.records] == [Stage.OUTCOME] * 2, "which name no parent"
    assert answer.unopened > 250
    assert same_but_for_the_way(answer, exhaustive(big, f"http://{BIG}/1"))
    assert len(ask(big, f"http://{BIG}/2").records) == 4


def test_check_23_a_url_that_is_erased_before_its_segment_is_sealed_gets_into_no_index(big):
    writer = write_big(big, "run-3", 600, seal=False)
    writer.append(make_entry(host=None, url=None), wait=True).result(10)
    erase(big, f"http://{BIG}/77")
    assert writer.close(seal=True) is not None
    assert sorted(index_of(big)) == [(1, OTHER), (2, OTHER), (3, OTHER)]
    answer = ask(big, f"http://{BIG}/77")
    assert (len(answer.records), answer.unopened) == (0, 6)


def test_check_23_a_url_that_is_erased_while_its_segment_is_surveyed_gets_into_no_index(big, monkeypatch):
    writer = write_big(big, "run-3", 600, seal=False)
    writer.append(make_entry(host=None, url=None), wait=True).result(10)
    real = url_index._read

    def then_erased(*given):
        real(*given)
        erase(big, f"http://{BIG}/77")

    monkeypatch.setattr(url_index, "_read", then_erased)
    assert writer.close(seal=True) is not None
    assert sorted(index_of(big)) == [(1, OTHER), (2, OTHER), (3, OTHER)]
    assert big.raw().execute("SELECT DISTINCT host FROM url_posting").fetchall() == [(OTHER,)]
    assert len(ask(big, f"http://{BIG}/78").records) == 6


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM url_key WHERE segment_id = 1 AND host = 'other.example'",
        "DELETE FROM url_key WHERE segment_id = 2 AND host = 'big.example'",
        "DELETE FROM url_posting WHERE segment_id = 1 AND host = 'big.example'",
        "DELETE FROM url_posting",
        "INSERT INTO url_key VALUES (1, 'small.example', x'00', 1)",
        "INSERT INTO url_posting VALUES (1, 'big.example', 99, x'00')",
        "INSERT INTO url_posting VALUES (3, 'big.example', 0, x'00')",
    ],
)
def test_an_erasure_lets_the_index_of_its_host_and_segment_go_the_key_first_and_no_other(big, sql):
    writer = big.open(run_id="run-3")
    raw = big.raw()
    (leaf,) = raw.execute("SELECT max(idx) + 1 FROM registry").fetchone()
    (idx,) = raw.execute("SELECT min(idx) FROM record WHERE segment_id = 1 AND host = ?", (BIG,)).fetchone()
    raw.execute("INSERT INTO registry VALUES (?, 1, 'erase', 1, x'00', x'00')", (leaf,))
    raw.execute("INSERT INTO erasure VALUES (1, ?, ?)", (idx, leaf))
    with pytest.raises(sqlite3.IntegrityError, match="sekisho: "):
        raw.execute(sql)
    raw.execute("DELETE FROM url_key WHERE segment_id = 1 AND host = 'big.example'")
    assert raw.execute("DELETE FROM url_posting WHERE segment_id = 1 AND host = 'big.example'").rowcount == 6
    writer.close(seal=False)


SCHEDULE = Path(__file__).resolve().parents[3] / "policies" / "retention.toml"
YEARS_LATER = 1_800_000_000_000_000 + 6 * 366 * 86_400 * 10**6


@pytest.mark.parametrize("crashes", [False, True])
def test_an_index_goes_with_its_pruned_segment_a_few_rows_at_a_time(big, monkeypatch, crashes):
    monkeypatch.setattr(prune, "BATCH", 2)
    kept = index_of(big)
    with Actor(big.url, pruning=True) as actor:
        item = plan(actor.connection, load_schedule(SCHEDULE), now_us=YEARS_LATER)[0]
        prune.intend(actor, item, who="tests", manifest=None, now_us=YEARS_LATER)
        whole = ask(big, f"http://{BIG}/5")
        assert (len(whole.records), whole.by_url_index) == (4, 1), "what is about to go needs no index"
        if crashes:
            assert prune._delete_some(actor, schema.url_key, 1) == 2
            assert [prune._delete_some(actor, schema.url_posting, 1) for _ in range(5)] == [2, 2, 2, 1, 0]
            assert len(ask(big, f"http://{BIG}/5").records) == 4
            assert compared(big).findings == ()
        monkeypatch.setattr(prune, "BATCH", 5_000)
        prune.finish(actor, item, now_us=YEARS_LATER)
    assert index_of(big) == {each: kept[each] for each in kept if each[0] == 2}
    assert big.raw().execute("SELECT DISTINCT segment_id FROM url_posting").fetchall() == [(2,)]
    answer = ask(big, f"http://{BIG}/5")
    assert [one.state for one in answer.hosts] == ["pruned", "sealed"]
    assert len(answer.records) == 2
    assert compared(big).findings == ()
    big.unguarded().execute(
        "INSERT INTO url_key SELECT 1, host, key, buckets FROM url_key WHERE host = ?", (BIG,)
    )
    (finding,) = compared(big).findings
    assert "is left of segment number 1" in finding.text


# logs that have no such tables, recovery, keys


def test_a_log_without_these_tables_is_read_and_gets_them_from_its_next_writer(big):
    before = {url: ask(big, url) for url in (f"http://{BIG}/5", ABSENT[0])}
    shape = (
        "SELECT type, name, sql FROM sqlite_master WHERE tbl_name IN ('url_key', 'url_posting') ORDER BY 1, 2"
    )
    made = big.raw().execute(shape).fetchall()
    big.raw().executescript("DROP TABLE url_key; DROP TABLE url_posting")
    for url, answer in before.items():
        assert same_but_for_the_way(ask(big, url), answer)
        assert ask(big, url).by_url_index == 0
    erase(big, f"http://{BIG}/1234")
    write_big(big, "run-3", 600)
    assert big.raw().execute(shape).fetchall() == made
    answer = ask(big, f"http://{BIG}/5")
    assert (len(answer.records), answer.by_url_index) == (6, 1)
    with big.reader() as reader:
        assert verify_log(reader).findings == ()


def test_a_segment_that_was_recovered_has_an_index_too(big):
    writer = write_big(big, "run-3", 600, seal=False)
    writer.append(make_entry(host=None, url=None), wait=True).result(10)
    writer.close(seal=False)
    big.write(run_id="run-4")
    answer = ask(big, f"http://{BIG}/5")
    assert [one.state for one in answer.hosts] == ["sealed", "sealed", "recovered"]
    assert (len(answer.records), answer.by_url_index) == (6, 3)


def rotate(log, folder):
    new = folder / "new.key"
    words = ["--log", log.url, "--new-key-file", str(new), "--why", "yearly"]
    assert main(["log", "key", "rotate", *words]) == ExitCode.DONE
    return new


def test_an_index_stays_good_when_keys_change_but_the_old_key_signs_no_later_one(big, tmp_path, monkeypatch):
    new = rotate(big, tmp_path)
    assert ask(big, f"http://{BIG}/5").by_url_index == 2
    monkeypatch.setenv("SEKISHO_LOG_KEY_FILE", str(new))
    write_big(big, "run-3", 600)
    assert ask(big, f"http://{BIG}/5").by_url_index == 3
    signed_anew(big, load_key(big.path.with_name("sekisho.db.key")), bytes)
    with pytest.raises(IntegrityError, match="its signature is not that of the log"):
        ask(big, f"http://{BIG}/5")


def test_the_command_says_what_the_answer_rests_on(written, capsys):
    words = ("log", "lookup", f"http://{BIG}/5", "--log", written.url)
    assert main([*words]) == ExitCode.DONE
    assert "In 2 segments the log's signed index of URLs was asked; --exhaustive" in capsys.readouterr().out
    for more, count in (((), 2), (("--exhaustive",), 0)):
        assert main([*words, "--format", "json", *more]) == ExitCode.DONE
        answer = json.loads(capsys.readouterr().out)
        assert (answer["segments_by_url_index"], len(answer["records"])) == (count, 4)
    assert main(["log", "lookup", BIG, "--log", written.url, "--exhaustive"]) == ExitCode.USAGE
    assert "--exhaustive is for a URL" in capsys.readouterr().err


def test_a_package_has_nothing_of_the_index(big, tmp_path):
    package = tmp_path / "package"
    assert (
        main(["log", "export", "--log", big.url, "--package", str(package), "--format", "jsonl"])
        == ExitCode.DONE
    )
    octets = b"".join(path.read_bytes() for path in package.rglob("*") if path.is_file())
    for key, _, bodies in index_of(big).values():
        for secret in (key, *bodies):
            assert secret[:16] not in octets
            assert secret[:16].hex().encode() not in octets


@pytest.mark.parametrize("named", [0, 100])
def test_an_index_that_is_made_in_many_parts_answers_alike(big, monkeypatch, named):
    for name, value in (("_NAMED", named), ("_SORTED_AT_ONCE", 200), ("_IN_BUCKET", 16), ("_PAGE", 97)):
        monkeypatch.setattr(url_index, name, value)
    write_big(big, "run-3", 600, repeated=40)
    buckets = {row[:2]: row[3] for row in big.raw().execute("SELECT * FROM url_key WHERE segment_id = 3")}
    assert buckets == {(3, BIG): 6 * (1_290 // 96), (3, OTHER): 2 * (FEWEST // 32)}
    for url in (*ODD, OFTEN, ABSENT[0], f"http://{BIG}/5", f"http://{OTHER}/7"):
        answer = ask(big, url)
        assert answer.by_url_index == 3
        assert same_but_for_the_way(answer, exhaustive(big, url))


@given(
    st.lists(
        st.tuples(st.binary(max_size=2), st.integers(0, 2**32 - 1)), max_size=60, unique_by=lambda one: one[1]
    ),
    st.integers(1, 5_000),
)
def test_each_url_finds_its_own_places_and_others_only_where_digests_are_alike(records, count):
    key = UrlKey(
        segment=UUID(int=1), size=count, host=BIG, key=bytes(16), buckets=url_index.buckets_for(count)
    )
    host = url_index._Host(key, count)
    own = {}
    for url, idx in records:
        digest = key.digest(url)
        host.parts[digest * len(host.parts) >> 32].append(digest << 32 | idx)
        own.setdefault(digest, set()).add(idx)
    payloads = list(host.payloads())
    assert len(payloads) == key.buckets
    for digest in own:
        alike = set().union(*(places for other, places in own.items() if key.same(digest, other)))
        assert set(places_of(payloads[key.bucket(digest)], digest)) == alike


@given(st.binary(max_size=80), st.integers(0, 2**32 - 1))
def test_any_octets_are_places_of_a_url_or_a_valueerror(octets, digest):
    try:
        found = places_of(octets, digest)
    except ValueError:
        return
    assert all(isinstance(idx, int) and idx >= 0 for idx in found)
