"""What is erased is in no octet of any file of a log, however long it was, and no guess of it can be confirmed."""

from __future__ import annotations

from hashlib import sha256

import pytest

from blocklists.errors import ExitCode
from crawler.cli import main
from crawler.decisionlog import encoding, store_sqlite
from crawler.decisionlog.record import Document
from crawler.decisionlog.verify import verify_log

MARK = "~erased-person"
OTHER = "http://a.example/kept"
URLS = {
    "short": f"http://a.example/{MARK}",
    "longer than a page": f"http://a.example/{MARK}/" + "".join(f"{n:05d}{MARK}" for n in range(800)),
    "not ASCII": f"http://a.example/é/{MARK}?q=山田",
}


@pytest.fixture
def careless(monkeypatch):
    """An SQLite that leaves what is deleted where it was, unless it is told otherwise: some are built so."""
    real = store_sqlite._connect

    def connect(*given):
        connection = real(*given)
        store_sqlite.driver(connection).execute("PRAGMA secure_delete = OFF").fetchall()
        return connection

    monkeypatch.setattr(store_sqlite, "_connect", connect)


def octets_of(log):
    """Return what stands in every file beside the log, by name."""
    return {path.name: path.read_bytes() for path in log.path.parent.iterdir() if path.is_file()}


@pytest.mark.usefixtures("careless")
@pytest.mark.parametrize("journal", ["persist", "wal"])
@pytest.mark.parametrize("name", URLS)
def test_check_23_neither_url_nor_salt_nor_what_quotes_it_is_in_any_octet(  # noqa: PLR0917 - fixtures and two choices
    log, entry, documents, monkeypatch, name, journal
):
    monkeypatch.setattr("crawler.decisionlog.store_sqlite.wal_is_safe", lambda _: journal == "wal")
    url = URLS[name]
    body = (
        b'{"noise":"' + sha256(url.encode()).hexdigest().encode() * 40 + b'","about":"' + url.encode() + b'"}'
    )
    quoting = Document(kind="basis", body=body)  # so long that it is packed
    writer = log.open()
    docs = [documents["policy"], documents["blocklist"]]
    for number in range(50):
        writer.append(entry(url=f"{OTHER}/{number}", parent_url=url if number % 10 == 0 else None), docs)
        writer.append(
            entry(
                url=url if number % 7 == 0 else f"{OTHER}/x{number}",
                basis=quoting.body if not number else b"",
            )
        )
        docs = ()
    assert writer.close(seal=True) is not None
    connection = log.raw()
    rows = connection.execute(
        "SELECT idx, salt FROM opening WHERE CAST(url AS TEXT) = ?1 OR CAST(parent_url AS TEXT) = ?1", (url,)
    ).fetchall()
    (packed,) = connection.execute(
        "SELECT body FROM document WHERE sha256 = ?", (sha256(quoting.body).digest(),)
    ).fetchone()
    connection.close()
    assert len(rows) == 13
    assert len(packed) < len(quoting.body)
    before = b"".join(octets_of(log).values())
    gone = [MARK.encode(), packed[:64], packed[-64:], *(salt for _, salt in rows)]
    assert all(part in before for part in gone[:1] + gone[3:])
    watching = log.raw()  # as long as somebody has it open, a write-ahead log is not removed
    watching.execute("SELECT count(*) FROM record").fetchone()
    erase = ["log", "erase", url, "--log", log.url, "--basis", "request 17", "--actor", "tests", "--yes"]
    assert main(erase) == 0
    for file, octets in octets_of(log).items():
        found = [part for part in gone if part in octets]
        assert found == [], f"{file} still has {found}"
    watching.close()
    with log.reader() as reader:
        report = verify_log(reader)
        assert (report.exit_code, report.findings) == (ExitCode.DONE, ())
        erased = [record for record in reader.records() if not record.opened]
        assert {record.idx for record in erased} == {idx for idx, _ in rows}
    # The commitments stay. Without its salt a guess of the URL is nothing that they could be compared with.
    guessed = url.encode("utf-8", "surrogatepass")
    whole = b"".join(octets_of(log).values())
    for confirming in (
        sha256(guessed).digest(), sha256(b"url\0" + guessed).digest(), sha256(b"url\0" + bytes(encoding.SALT_SIZE) + guessed).digest(),
    ):  # fmt: skip
        assert confirming not in whole
        assert confirming.hex().encode() not in whole


def test_check_23_with_its_salt_a_guess_would_be_confirmed_which_is_why_it_goes(log, entry, documents):
    writer = log.open()
    writer.append(entry(url=URLS["short"]), [documents["policy"], documents["blocklist"]])
    assert writer.close(seal=True) is not None
    commit, salt = (
        log.raw()
        .execute("SELECT record.url_commit, salt FROM record JOIN opening USING (segment_id, idx)")
        .fetchone()
    )
    assert sha256(b"url\0" + salt + URLS["short"].encode()).digest() == commit
