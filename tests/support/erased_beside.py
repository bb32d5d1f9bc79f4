"""Promises about a URL that is erased while somebody writes, alike for both engines.

`log` is a test's log in either; `url` names it for whoever erases. The moments are made by hooks, never by
waiting for so long.
"""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading
from hashlib import sha256
from pathlib import Path

import pytest
from forked import Forked
from needed_documents import FILE, SCHEDULE, YEARS_LATER, basis_on, due_run, fetched, intended, pruned

from blocklists.errors import ExitCode
from crawler.cli import main
from crawler.decisionlog import batch, store
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.findings import Problem
from crawler.decisionlog.lookup import lookup, parse_target
from crawler.decisionlog.package import documents as package_documents
from crawler.decisionlog.package import pages
from crawler.decisionlog.package.layout import Encoding
from crawler.decisionlog.package.plan import PackagePlan
from crawler.decisionlog.package.verify import verify_package
from crawler.decisionlog.package.write import write_package
from crawler.decisionlog.record import Document
from crawler.decisionlog.retention import erase as erasing
from crawler.decisionlog.retention import prune
from crawler.decisionlog.retention.acts import Actor
from crawler.decisionlog.retention.plan import State, plan
from crawler.decisionlog.retention.prune import HeldError, finish, intend
from crawler.decisionlog.rows import digested
from crawler.decisionlog.stored import unpack_body
from crawler.decisionlog.verify import verify_log
from tests.crawler.decisionlog.conftest import LISTS, POLICY, make_entry

ROOT = Path(__file__).resolve().parents[2]
URL = "http://a.example/~name"
ROBOTS = Document(kind="robots", body=b"User-agent: *\nDisallow: /~\n# not even " + URL.encode())
OWN_POLICY = Document(kind="policy", body=b'contact = "' + URL.encode() + b'"\n')
WORDS = ("--basis", "request 17", "--actor", "tests", "--yes")


BASIS = basis_on(ROBOTS, source=URL)


def decide(writer, documents=(), **fields):
    given = {"url": URL, "verdict": "skip", "reason": "robots_disallow", "basis": BASIS} | fields
    return writer.append(make_entry(**given), documents, wait=True)


def opened(log, **options):
    """Open a writer that has decided once, with all that the decision needs."""
    writer = log.open(run_id="living", **options)
    decide(writer, (ROBOTS, POLICY, LISTS)).result(30)
    return writer


def erase(log, url=URL):
    return main(["log", "erase", url, "--log", log, *WORDS])


def erased(log):
    """Erase the URL over a connection of their own."""
    assert erase(log) == ExitCode.DONE


def elsewhere(log):
    """Begin to erase the URL in a process of its own. Not a fork: SQLite's locks are lost in one."""
    words = [sys.executable, "-m", "crawler.cli", "log", "erase", URL, "--log", log, *WORDS]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, cwd=ROOT)


def findings(log):
    with log.reader() as reader:
        return verify_log(reader).findings


def there(log, *bodies):
    """Return whether these documents are in the log; assert that it verifies."""
    assert findings(log) == ()
    with log.reader() as reader:
        return [reader.document(sha256(body).hexdigest()) is not None for body in bodies]


def urls(log):
    with log.reader() as reader:
        return [record.url for record in reader.records()]


def closed(log, writer):
    """Seal the writer's segment, and see that the log is whole and all of its sums are right."""
    assert writer.close(seal=True) is not None, writer.failed
    assert findings(log) == ()


def what_is_decided_afterwards_is_shown(log, url):
    """The old record loses its URL and its reasons, the new one has both; also the second time."""
    writer = opened(log)
    for before in ([], [None]):
        assert elsewhere(url).wait(60) == 0
        assert there(log, BASIS, ROBOTS.body) == [False, False]
        decide(writer, (digested(ROBOTS),)).result(30)
        assert there(log, BASIS, ROBOTS.body) == [True, True]
        assert urls(log) == [None, *before, URL]
    closed(log, writer)
    erased(url)
    assert there(log, BASIS, ROBOTS.body) == [False, False]
    assert urls(log) == [None] * 3
    assert erase(url) == ExitCode.USAGE


def what_a_run_was_opened_with_is_shown(log, url):
    """A policy in which the URL stands is stored again by the run that goes by it, whoever removed it."""
    digest = sha256(OWN_POLICY.body).hexdigest()
    writer = log.open()
    writer.append(make_entry(policy_sha256=digest), (OWN_POLICY, LISTS), wait=True).result(30)
    erased(url)
    assert there(log, OWN_POLICY.body) == [False]
    writer.append(make_entry(policy_sha256=digest), wait=True).result(30)
    assert there(log, OWN_POLICY.body) == [True]
    closed(log, writer)


def what_a_long_run_goes_by_is_held(log, url):
    """Of lists that were taken up one after the other the last stay in memory, and the one that is in use."""
    policy = sha256(OWN_POLICY.body).hexdigest()
    lists = [
        Document(kind="blocklist", body=b'{"lists":["' + URL.encode() + b'",%d]}' % at) for at in range(40)
    ]
    named = [{"policy_sha256": policy, "blocklist_sha256": sha256(one.body).hexdigest()} for one in lists]
    writer = log.open()
    writer.append(make_entry(**named[0]), (OWN_POLICY, lists[0]), wait=True).result(30)
    for fields, one in zip(named[1:], lists[1:], strict=True):
        writer.append(make_entry(**fields), (one,), wait=True).result(30)
        writer.append(make_entry(**named[0]), wait=True).result(30)
    held = writer._store._documents._opened_with.values()
    assert {one.body for one in held} == {OWN_POLICY.body, lists[0].body, *(one.body for one in lists[-7:])}
    erased(url)
    for fields in (named[0], named[-1]):
        writer.append(make_entry(**fields), wait=True).result(30)
    assert there(log, OWN_POLICY.body, lists[0].body, lists[-1].body, lists[9].body) == [True] * 3 + [False]
    closed(log, writer)


def what_cannot_be_shown_is_not_decided(log, url):
    """A quoted file that is gone, and that nobody hands over again, ends the run; the next one starts well."""
    writer = opened(log)
    erased(url)
    other = basis_on(ROBOTS, source="http://a.example/other")
    with pytest.raises(LogError, match="which was removed from the log"):
        decide(writer, url="http://a.example/other", basis=other).result(30)
    assert writer.close(seal=True) is None
    assert urls(log) == [None]
    next_run = log.open(run_id="next")
    decide(next_run, (ROBOTS,)).result(30)
    assert there(log, BASIS, ROBOTS.body) == [True, True]
    closed(log, next_run)


def what_is_queued_is_recorded_after_it(log, url, monkeypatch):
    """A decision that waits for its commit while the URL is erased comes after it, with its reasons."""
    writer = opened(log)
    real, reached, go = writer._store.commit, threading.Event(), threading.Event()

    def held(some):
        reached.set()
        assert go.wait(30)
        real(some)

    monkeypatch.setattr(writer._store, "commit", held)
    ticket = decide(writer, (digested(ROBOTS),))
    assert reached.wait(30)
    erased(url)
    go.set()
    assert ticket.result(30).idx == 1
    assert there(log, BASIS, ROBOTS.body) == [True, True]
    assert urls(log) == [None, URL]
    closed(log, writer)


def an_erasure_waits_for_a_commit(log, url, monkeypatch):
    """A batch that has asked, and is not committed, is before the erasure, and loses what it names."""
    writer = opened(log)
    real, reached, began = writer._store._documents.store, threading.Event(), threading.Event()
    keep, codes = store.keep_records, []

    def asked(some):
        told = real(some)
        reached.set()
        assert began.wait(30)
        return told

    def waits(connection):
        began.set()
        keep(connection)

    monkeypatch.setattr(writer._store._documents, "store", asked)
    monkeypatch.setattr(store, "keep_records", waits)
    ticket = decide(writer, url="http://a.example/other")
    assert reached.wait(30)
    eraser = threading.Thread(target=lambda: codes.append(erase(url)))
    eraser.start()
    if log.url.startswith("sqlite"):  # where to open a log for writing is to wait for who writes
        began.set()
    assert ticket.result(30).idx == 1
    eraser.join(60)
    assert codes == [ExitCode.DONE]
    assert there(log, BASIS, ROBOTS.body) == [False, False]
    monkeypatch.setattr(writer._store._documents, "store", real)
    decide(writer, (digested(ROBOTS),)).result(30)
    assert there(log, BASIS, ROBOTS.body) == [True, True]
    closed(log, writer)


def two_erase_at_once(log, url, monkeypatch):
    """Both search, then both act: one erases, the other finds nothing left, and the log is whole."""
    closed(log, opened(log))
    barrier, real = multiprocessing.Barrier(2), erasing.find
    searches = []

    def find(*args):
        found = real(*args)
        if not searches:
            barrier.wait(30)
        searches.append(found)
        return found

    monkeypatch.setattr(erasing, "find", find)
    codes = multiprocessing.Array("i", 2)

    def work(number):
        codes[number] = erase(url)

    both = [Forked(lambda number=number: work(number)) for number in range(2)]
    assert [one.wait() for one in both] == [0, 0]
    assert sorted(codes) == [ExitCode.DONE, ExitCode.USAGE]
    assert there(log, BASIS, ROBOTS.body) == [False, False]
    assert urls(log) == [None]


def hold(url, scope, name="H"):
    words = ["--reason", "claim", "--authority", "court", "--actor", "tests", "--name", name]
    assert main(["hold", "add", "--scope", scope, "--log", url, *words]) == 0


def release(url, name="H"):
    words = ["--reason", "settled", "--actor", "tests"]
    assert main(["hold", "release", name, "--log", url, *words]) == 0


def a_hold_that_comes_after_the_search_is_obeyed(log, url, monkeypatch):
    writer = opened(log)
    real = erasing.find

    def find(*args):
        found = real(*args)
        hold(url, "run:living")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(erasing, "find", find)
        assert erase(url) == ExitCode.REFUSED
    assert there(log, BASIS, ROBOTS.body) == [True, True]
    assert urls(log) == [URL]
    release(url)
    erased(url)
    assert urls(log) == [None]
    closed(log, writer)


def evidence_that_a_held_run_quotes_stays(log, url):
    """The URL stands in a file that a held run quotes: without it that run's refusals could not be shown."""
    closed(log, opened(log))
    held = log.open(run_id="held")
    other = "http://a.example/other"
    decide(held, (ROBOTS,), url=other, basis=basis_on(ROBOTS, source=other)).result(30)
    closed(log, held)
    hold(url, "run:held")
    assert erase(url) == ExitCode.REFUSED
    assert there(log, BASIS, ROBOTS.body) == [True, True]


def a_hold_stops_a_pruning_that_began(log, url, monkeypatch):
    """What is left when it is set stays until it is released; then the pruning is resumed."""
    due_run(log)
    real, removed = prune._delete_some, []

    def until_held(actor, table, number):
        count = real(actor, table, number)
        if not removed:
            removed.append(table.name)
            hold(url, "run:due")
        return count

    def state():
        with Actor(url, pruning=True) as actor:
            return next(
                one for one in plan(actor.connection, SCHEDULE, now_us=YEARS_LATER) if one.run == "due"
            )

    with Actor(url, pruning=True) as actor:
        item = intended(actor, "due")
        monkeypatch.setattr(prune, "_delete_some", until_held)
        with pytest.raises(HeldError, match="what is left of it stays"):
            finish(actor, item, now_us=YEARS_LATER)
        assert removed
        assert (state().state, state().hold) == (State.HELD, "H")
        with pytest.raises(HeldError):
            finish(actor, item, now_us=YEARS_LATER)
        release(url)
        assert state().state is State.UNDER_WAY
        assert finish(actor, item, now_us=YEARS_LATER) == 2
    assert state().state is State.PRUNED
    assert findings(log) == ()


def two_prune_at_once(log, url, monkeypatch):
    """Whoever is overtaken removes nothing more once the registry says that the run is pruned."""
    due_run(log)
    writer = fetched_and_cut(log)
    with Actor(url, pruning=True) as actor:
        item = intended(actor, "due")
        real, overtaken = prune._delete_documents, []

        def late(*args):
            if not overtaken:
                overtaken.append(1)
                with Actor(url, pruning=True) as other:
                    finish(other, item, now_us=YEARS_LATER)
                handed_over(writer)  # which stores the file again
            real(*args)

        monkeypatch.setattr(prune, "_delete_documents", late)
        finish(actor, item, now_us=YEARS_LATER)
    with log.reader() as reader:
        assert [leaf.event.KIND for leaf in reader.leaves()].count("prune_done") == 1
    assert there(log, FILE.body) == [True]
    decide(writer, basis=basis_on(FILE)).result(30)
    closed(log, writer)


def two_announce_at_once(log, url):
    """Both found that a run is due: it is announced once, and either removes it."""
    due_run(log)
    with Actor(url, pruning=True) as actor:
        item = next(one for one in plan(actor.connection, SCHEDULE, now_us=YEARS_LATER) if one.run == "due")
        for _ in range(2):
            intend(actor, item, who="tests", manifest=None, now_us=YEARS_LATER)
        assert [finish(actor, item, now_us=YEARS_LATER) for _ in range(2)] == [2, 0]
    with log.reader() as reader:
        kinds = [leaf.event.KIND for leaf in reader.leaves()]
    assert (kinds.count("prune_intent"), kinds.count("prune_done")) == (1, 1)
    assert findings(log) == ()


def a_segment_is_sealed_while_it_is_erased(log, url, monkeypatch):
    """Between the survey of the records and the seal: sums and root are those of the records, as ever."""
    writer = opened(log)
    for number in range(40):
        writer.append(make_entry(url=f"http://a.example/{number}", parent_url=URL))
    real = batch.survey

    def survey(*args, **options):
        found = real(*args, **options)
        assert elsewhere(url).wait(60) == 0
        return found

    monkeypatch.setattr(batch, "survey", survey)
    closed(log, writer)
    assert urls(log) == [None] * 41
    with log.reader() as reader:
        assert lookup(reader, parse_target("a.example")).hosts
        assert lookup(reader, parse_target(URL)).unopened == 41
        answer = lookup(reader, parse_target("http://a.example/7"))
    assert (answer.records, answer.unopened) == ((), 41)


def logged_for_export(log):
    """Write a run that is due, and one whose first and last decision are on the URL; 34 records in all."""
    due_run(log)
    writer = opened(log)
    for number in range(30):
        writer.append(make_entry(url=f"http://a.example/{number}"))
    decide(writer)
    closed(log, writer)


def exported(log, folder, beside, **options):
    """Export a log to JSON lines, with `beside` called after each page; return what verifying finds."""
    with log.reader() as reader:
        plan = PackagePlan(encoding=Encoding.JSONL, **options)
        write_package(reader, folder, plan, now_us=1, progress=beside)
    return verify_package(folder)


def once(act, real=lambda *_: None):
    """Return what is called instead of `real`, and acts before the first call."""
    left = [act]

    def called(*args):
        if left:
            left.pop()()
        return real(*args)

    return called


def an_export_beside_it_is_whole(log, url, folder, monkeypatch):
    """What goes between two pages, between two documents or with a run: the package is of a moment after it."""
    logged_for_export(log)
    monkeypatch.setattr(pages, "PAGE", 8)
    report = exported(log, folder / "pages", once(lambda: erased(url)))
    assert (report.findings, report.records, report.openings) == ((), 34, 32)
    with monkeypatch.context() as patch:
        act = once(lambda: erase(url, "http://a.example/robots.txt"), unpack_body)
        patch.setattr(package_documents, "unpack_body", act)
        report = exported(log, folder / "documents", None)
    assert (report.findings, report.records, report.openings) == ((), 34, 31)
    monkeypatch.setattr(pages, "PAGE", 1)
    report = exported(log, folder / "pruned", once(lambda: pruned(url, "due")))
    assert (report.findings, report.records, report.openings) == ((), 32, 30)
    assert findings(log) == ()


def an_export_that_is_overtaken_each_time_ends(log, url, folder):
    """It is neither a package nor an accusation, and leaves nothing behind."""
    logged_for_export(log)
    left = [f"http://a.example/{number}" for number in range(30)]

    def beside(_):
        assert erase(url, left.pop()) == ExitCode.DONE

    with pytest.raises(LogError, match="export it again") as raised:
        exported(log, folder / "package", beside, runs=frozenset({"living"}))
    assert raised.value.exit_code == ExitCode.REFUSED
    assert list(folder.iterdir()) == []
    assert findings(log) == ()


def a_verification_beside_it_accuses_nobody(log, url):
    """What goes while a log is verified went lawfully: it is verified again, as it is then."""
    closed(log, opened(log))
    again = log.open(run_id="again")
    decide(again, (ROBOTS,)).result(30)
    closed(log, again)
    calls = []

    def beside(count):
        calls.append(count)
        if len(calls) == 1:
            erased(url)

    with log.reader() as reader:
        report = verify_log(reader, beside)
    assert report.findings == ()
    assert len(calls) > 2, "it was verified again"


def evidence_of_a_later_decision_is_missed(log, url, remove):
    """The entry of an erasure excuses nothing that was decided after it: whoever removes that is found out."""
    writer = opened(log)
    erased(url)
    decide(writer, (digested(ROBOTS),)).result(30)
    decide(writer).result(30)
    assert there(log, BASIS) == [True]
    remove("DELETE FROM document WHERE kind = 'basis'")
    found = findings(log)
    assert {(one.problem, one.idx) for one in found} == {(Problem.DOCUMENT_MISSING, idx) for idx in (1, 2)}
    assert writer.close(seal=True) is not None


def fetched_and_cut(log):
    """Open a writer that has fetched a robots.txt of which only the beginning is read and kept."""
    writer = log.open(run_id="living")
    handed_over(writer)
    return writer


def handed_over(writer):
    writer.append(fetched(b"all of it"), (digested(FILE), POLICY, LISTS), wait=True).result(30)


def a_file_named_by_no_record_is_stored_when_it_is_quoted(log, url, monkeypatch):
    """It goes with the run that is pruned, whenever it was handed over, and comes back with its first quote."""
    due_run(log)
    writer = fetched_and_cut(log)
    real, there_was = prune._delete_documents, []
    quoting = basis_on(FILE, source="http://a.example/closed/1")

    def beside(*args):
        handed_over(writer)
        real(*args)
        there_was.extend(there(log, FILE.body))
        decide(writer, (digested(FILE),), basis=quoting).result(
            30
        )  # the registry does not say yet that it is done

    with Actor(url, pruning=True) as actor:
        item = intended(actor, "due")
        handed_over(writer)
        monkeypatch.setattr(prune, "_delete_documents", beside)
        finish(actor, item, now_us=YEARS_LATER)
    assert there_was == [False]
    assert there(log, FILE.body, quoting) == [True, True]
    closed(log, writer)
