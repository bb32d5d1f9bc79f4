"""Who has database and key writes another history that is without fault in itself: what others hold tells."""

from __future__ import annotations

import datetime as dt
import random
import shutil

import pytest

from blocklists.errors import ExitCode
from crawler.cli import main
from crawler.decisionlog.custody import Custody
from crawler.decisionlog.errors import IntegrityError
from crawler.decisionlog.findings import Problem
from crawler.decisionlog.registry_state import KnownCheckpoint
from crawler.decisionlog.timestamps import check, load_roots
from crawler.decisionlog.verify import verify_log
from tests.crawler.decisionlog.test_anchors import Authority, needs_openssl

ORIGIN = "log.example/crawls"
RUNS = ("run-1", "run-2")
HIDDEN = "http://a.example/private/3"


class History:
    """One history of a log: the same runs at the same moments by the same key, with or without one record."""

    def __init__(self, log, key, entry, documents):
        self.log, self.entry = log, entry
        self.documents = [documents["policy"], documents["blocklist"]]
        self.custody = Custody(
            key_file=key, checkpoint_file=log.path.with_suffix(".checkpoint"), origin=ORIGIN
        )
        self.heads = []

    def write(self, now_us, *, hide=False):
        chance = random.Random(13)
        self.log.clock.now = now_us
        for run in RUNS:
            writer = self.log.open(run_id=run, custody=self.custody, entropy=chance.randbytes)
            for number in range(6):
                url = HIDDEN if number == 3 and not hide else f"http://a.example/{number}"
                writer.append(self.entry(url=url), self.documents, wait=True).result(10)
            assert writer.close(seal=True) is not None
            with self.log.reader() as reader:
                note = reader.newest_checkpoint().encode()
            self.heads.append(KnownCheckpoint.read(run, note))
        return self

    def urls(self):
        with self.log.reader() as reader:
            return {record.url for record in reader.records()}

    def verify(self, known=(), **options):
        with self.log.reader() as reader:
            return verify_log(reader, known=known, **options)


@pytest.fixture
def told_twice(log, tmp_path, entry, documents):
    """The honest log, and the one that its operator shows: written anew with the same key, in every part."""
    now_us = int(dt.datetime.now(dt.UTC).timestamp() * 1e6) - 60_000_000
    honest = History(log, tmp_path / "log.key", entry, documents).write(now_us)
    folder = tmp_path / "shown"
    folder.mkdir()
    shown = History(type(log)(folder), tmp_path / "log.key", entry, documents).write(now_us, hide=True)
    assert HIDDEN in honest.urls()
    assert HIDDEN not in shown.urls()
    return honest, shown


def test_check_13_the_other_history_is_without_fault_in_itself_and_as_long(told_twice):
    honest, shown = told_twice
    for history in told_twice:
        report = history.verify([history.heads[-1]])
        assert (report.exit_code, report.findings) == (ExitCode.DONE, ())
    assert [parse_size(head) for head in honest.heads] == [parse_size(head) for head in shown.heads]


def parse_size(head):
    return int(head.note.text.split("\n")[1])


@pytest.mark.parametrize("kept", range(len(RUNS)), ids=RUNS)
def test_check_13_one_checkpoint_that_somebody_kept_of_the_first_tells_whichever(told_twice, kept):
    honest, shown = told_twice
    report = shown.verify([shown.heads[-1], honest.heads[kept]])
    assert report.exit_code is ExitCode.TAMPERED
    assert {finding.problem for finding in report.findings} == {Problem.ROLLED_BACK}
    assert honest.verify([honest.heads[kept]]).exit_code is ExitCode.DONE


@needs_openssl
def test_check_13_one_timestamp_of_the_first_tells(told_twice, tmp_path, httpserver, monkeypatch):
    from werkzeug import Response

    honest, shown = told_twice
    authority = Authority(tmp_path / "tsa")
    httpserver.expect_request("/tsa", method="POST").respond_with_handler(
        lambda request: Response(authority.reply(request.data), content_type="application/timestamp-reply")
    )
    asking = ("--tsa", httpserver.url_for("/tsa"), "--tsa-roots", str(authority.roots))
    with monkeypatch.context() as patch:
        patch.setenv("SEKISHO_LOG_KEY_FILE", str(honest.custody.key_file))
        patch.setenv("SEKISHO_LOG_CHECKPOINT_FILE", str(honest.custody.checkpoint_file))
        assert main(["log", "anchor", "--log", honest.log.url, *asking]) == 0
    roots = load_roots(authority.roots)
    assert honest.verify([honest.heads[-1]], roots=roots).exit_code is ExitCode.DONE
    # The operator shows the timestamp as if it were of the other history.
    connection = shown.log.unguarded()
    connection.execute("ATTACH ? AS honest", (str(honest.log.path),))
    connection.execute("INSERT INTO anchor SELECT * FROM honest.anchor")
    report = shown.verify([shown.heads[-1]], roots=roots)
    assert report.exit_code is ExitCode.TAMPERED
    assert {finding.problem for finding in report.findings} == {Problem.ANCHOR_WRONG}
    # Whoever kept the token with its note needs neither log: the note is dated, and the other history is not it.
    (token,) = connection.execute("SELECT body FROM honest.anchor").fetchone()
    dated = honest.heads[-1]
    assert check(token, str(dated.note).encode(), roots)
    assert shown.verify([dated]).exit_code is ExitCode.TAMPERED


def test_check_13_the_other_history_in_place_of_the_first_is_not_written_on(told_twice):
    """Of the first nothing is left but the checkpoint that its writers keep."""
    honest, shown = told_twice
    last = honest.custody.checkpoint_file.read_bytes()
    shutil.copy(shown.log.path, honest.log.path)
    report = honest.verify([KnownCheckpoint.read("kept", last)])
    assert {finding.problem for finding in report.findings} == {Problem.ROLLED_BACK}
    with pytest.raises(IntegrityError, match="changed or forked"):
        honest.log.open(custody=honest.custody)
