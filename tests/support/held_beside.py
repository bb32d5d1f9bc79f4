"""Promises about holds, and about what an erasure must find and tell, alike for both engines.

`log` is a test's log in either; `url` names it for whoever prunes or erases.
"""

from __future__ import annotations

from hashlib import sha256

import pytest
from erased_beside import URL, closed, decide, erase, findings, hold, opened, release, urls
from erased_beside import there as each_there
from needed_documents import (
    BASIS,
    FILE,
    SCHEDULE,
    YEARS_LATER,
    basis_on,
    due_run,
    fetched,
    intended,
    pruned,
    there,
)

from blocklists.errors import ExitCode
from crawler.cli import main
from crawler.decisionlog import store
from crawler.decisionlog.errors import IntegrityError, LogError
from crawler.decisionlog.record import Document
from crawler.decisionlog.retention import documents, prune
from crawler.decisionlog.retention import erase as erasing
from crawler.decisionlog.retention.acts import Actor
from crawler.decisionlog.retention.plan import State, plan
from crawler.decisionlog.retention.prune import HeldError, finish
from crawler.decisionlog.rows import digested
from tests.crawler.decisionlog.conftest import LISTS, POLICY, make_entry

OTHER = basis_on(FILE, source="http://b.example/of-its-own")


def due_too(log, basis=OTHER):
    writer = log.open(run_id="due too", retention="trial")
    about = {"verdict": "skip", "reason": "robots_disallow"}
    for each in {OTHER, basis}:
        writer.append(make_entry(**about, basis=each), (POLICY, LISTS))
    assert writer.close(seal=True) is not None


def held_without_its_records(url, monkeypatch):
    """Prune the run that is due, and set a hold on it when its records are gone and its documents are there."""
    real = prune._delete_documents

    def delete(*args):
        hold(url, "run:due")
        real(*args)

    with Actor(url, pruning=True) as actor:
        item = intended(actor, "due")
        with monkeypatch.context() as patch:
            patch.setattr(prune, "_delete_documents", delete)
            with pytest.raises(HeldError, match="what is left of it stays"):
                finish(actor, item, now_us=YEARS_LATER)


def state_of(url, run):
    with Actor(url, pruning=True) as actor:
        items = plan(actor.connection, SCHEDULE, now_us=YEARS_LATER)
    return [one for one in items if one.run == run][-1]


def evidence_of_a_held_run_stays(log, url, monkeypatch, case):
    """Its records are gone, and what they went by is what is left: neither pruning nor erasing takes it."""
    if case == "named before":  # by the pruning of a run that went by the same, which its entry still says
        first = log.open(run_id="first", retention="trial")
        first.append(fetched(), (FILE, POLICY, LISTS))
        first.append(make_entry(verdict="skip", reason="robots_disallow", basis=BASIS))
        assert first.close(seal=True) is not None
        pruned(url, "first")
    due_run(log)
    due_too(log, BASIS if case == "shared" else OTHER)
    held_without_its_records(url, monkeypatch)
    pruned(url, "due too")
    assert state_of(url, "due too").state is State.PRUNED
    assert each_there(log, BASIS, FILE.body) == [True, True]
    assert erase(url, "http://a.example/robots.txt") == ExitCode.REFUSED
    assert erase(url, "http://a.example/closed") == ExitCode.REFUSED
    assert each_there(log, BASIS, FILE.body) == [True, True]
    release(url)
    with Actor(url, pruning=True) as actor:
        assert finish(actor, state_of(url, "due"), now_us=YEARS_LATER) == 0
    assert each_there(log, BASIS, FILE.body, OTHER) == [False] * 3


def a_pruning_that_is_held_costs_a_run_no_look_up(log, url, monkeypatch):
    """As long as nothing can go, a run remembers what is stored; and looks again when the hold changed."""
    due_run(log)
    writer = log.open(run_id="living")
    decide(writer, (FILE, POLICY, LISTS), basis=BASIS).result(30)
    with Actor(url, pruning=True) as actor:
        item = intended(actor, "due")
    hold(url, "run:due")
    with Actor(url, pruning=True) as actor, pytest.raises(HeldError):
        finish(actor, item, now_us=YEARS_LATER)
    asked = []
    own = writer._store._documents
    real = own._there

    def counted(digests):
        asked.append(len(digests))
        return real(digests)

    monkeypatch.setattr(own, "_there", counted)
    given = {"basis": BASIS}
    counts = []
    for _ in range(3):
        decide(writer, (digested(FILE),), **given).result(30)
        counts.append(len(asked))
    assert counts[0] > 0, "the pruning, and the hold, are new to it"
    assert counts[1:] == counts[:1] * 2
    release(url)
    decide(writer, (digested(FILE),), **given).result(30)
    assert len(asked) > counts[-1]
    with Actor(url, pruning=True) as actor:
        finish(actor, item, now_us=YEARS_LATER)
    closed(log, writer)
    assert there(log) == (True, True)


def what_goes_between_two_holds_is_stored_again(log, url, monkeypatch):
    """A hold is released, documents go, and it is set again, all between two batches of a run."""
    due_run(log)
    writer = log.open(run_id="living")
    writer.append(fetched(b"all of it"), (digested(FILE), POLICY, LISTS), wait=True).result(30)
    with Actor(url, pruning=True) as actor:
        item = intended(actor, "due")
    hold(url, "run:due")
    for _ in range(2):
        writer.append(fetched(b"all of it"), (digested(FILE),), wait=True).result(30)
    release(url)
    real = prune._delete_documents

    def delete(*args):
        real(*args)
        hold(url, "run:due", "H2")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(prune, "_delete_documents", delete)
        with Actor(url, pruning=True) as actor, pytest.raises(KeyboardInterrupt):
            finish(actor, item, now_us=YEARS_LATER)
    assert state_of(url, "due").state is State.HELD
    assert each_there(log, FILE.body) == [False]
    decide(writer, (digested(FILE),), basis=OTHER).result(30)
    assert each_there(log, FILE.body, OTHER) == [True, True]
    closed(log, writer)


def after_the_search(monkeypatch, act):
    """Have something happen once, between the first search for the URL and its erasure."""
    real, calls = erasing.find, []

    def find(*args):
        found = real(*args)
        calls.append(found)
        if len(calls) == 1:
            act()
        return found

    monkeypatch.setattr(erasing, "find", find)


def what_a_run_records_before_it_ends_is_erased(log, url, monkeypatch, begun):
    """The run ends between search and erasure, and records the URL before it does."""
    writer = opened(log)
    if begun == "since":
        closed(log, writer)

    def record():
        living = log.open(run_id="since") if begun == "since" else writer
        decide(living, (digested(Document(kind="robots", body=b"x")), POLICY, LISTS)).result(30)
        assert living.close(seal=True) is not None

    after_the_search(monkeypatch, record)
    assert erase(url) == ExitCode.DONE
    assert urls(log) == [None, None]
    assert findings(log) == ()


def a_copy_that_is_left_ends_no_search(log, url, monkeypatch, capsys):
    """It is told after all else: what was erased, and which runs may record the URL again."""
    writer = opened(log)

    def leave(_):
        raise LogError("it is erased, but a copy is left")

    monkeypatch.setattr(store, "leave_no_copy", leave)
    after_the_search(monkeypatch, lambda: decide(writer).result(30))
    assert erase(url) == ExitCode.REFUSED
    told = capsys.readouterr()
    assert urls(log) == [None, None]
    assert "the URLs of 2 records were erased" in told.out
    assert str(writer.segment) in told.err
    assert "a copy is left" in told.err.splitlines()[-1]
    closed(log, writer)


def a_hold_that_stops_a_later_search_is_told_with_what_was_erased(log, url, monkeypatch, capsys):
    writer = opened(log)

    def leave(_):
        raise LogError("a copy is left")

    def record():
        decide(writer).result(30)
        real = erasing.erase

        def then_held(*args, **options):
            try:
                return real(*args, **options)
            finally:
                hold(url, "all")
                monkeypatch.setattr(erasing, "erase", real)

        monkeypatch.setattr(erasing, "erase", then_held)

    monkeypatch.setattr(store, "leave_no_copy", leave)
    after_the_search(monkeypatch, record)
    assert erase(url) == ExitCode.REFUSED
    told = capsys.readouterr()
    assert urls(log) == [None, URL]
    assert "the URLs of 1 records were erased" in told.out
    assert "a hold goes before an erasure" in told.err.splitlines()[-1]
    assert "a copy is left" in told.err.splitlines()[-1]
    release(url)
    closed(log, writer)


def an_export_made_after_the_search_is_named(log, url, monkeypatch, capsys, folder):
    closed(log, opened(log))
    words = ["log", "export", "--log", url, "--package", str(folder), "--format", "jsonl"]
    after_the_search(monkeypatch, lambda: main(words))
    assert erase(url) == ExitCode.DONE
    _, separator, named = capsys.readouterr().out.partition("Exports hold copies")
    assert separator
    assert str(folder) in named


def held_records_are_read_before_writers_wait(log, url, monkeypatch):
    """In the transaction in which nobody appends, only what was written since is read."""
    closed(log, opened(log))
    held = log.open(run_id="held")
    for number in range(20):
        held.append(make_entry(url=f"http://b.example/{number}"), (POLICY, LISTS))
    assert held.close(seal=True) is not None
    hold(url, "run:held")
    keep, pages, inside, read = store.keep_records, documents._pages, [], []

    def keep_records(connection):
        inside.append(1)
        keep(connection)

    def counted(*args):
        for rows in pages(*args):
            read.append((bool(inside), len(rows)))
            yield rows

    monkeypatch.setattr(store, "keep_records", keep_records)
    monkeypatch.setattr(documents, "_pages", counted)
    assert erase(url) == ExitCode.DONE
    assert inside
    assert (False, 20) in read
    assert not [size for within, size in read if within]


BROKEN = {
    "digest is no hex": b'{"sha256":"zz","source":"s"}',
    "digest is a number": b'{"sha256":5,"source":"s"}',
    "digest is a list": b'{"sha256":["ab"],"source":"s"}',
}


def broken_basis(case):
    evidence = BROKEN.get(case, b'{"source":"s"}')
    whole = (
        b'{"rules":[{"action":"skip","evidence":['
        + evidence
        + b'],"reason":"robots_disallow","rule":"robots"}],'
        b'"schema":"sekisho.basis/1"}'
    )
    return whole.replace(b"basis/1", b"basis/9") if case == "version is newer" else whole


CASES = (*BROKEN, "version is newer", "octets changed", "cannot be unpacked")


def a_basis_that_cannot_be_read_stops_what_removes(log, url, case, damage):
    """What it quotes is not known: nothing goes by it, and it is named. `damage` changes a row as its owner."""
    basis, source = broken_basis(case), "http://b.example/x"
    due_run(log)
    closed_later = opened(log)
    keeper = log.open(run_id="keeper")
    keeper.append(make_entry(verdict="skip", reason="robots_disallow", url=source, basis=basis))
    assert keeper.close(seal=True) is not None
    closed(log, closed_later)
    name = sha256(basis)
    if case == "octets changed":
        damage("body", basis.replace(b"rules", b"ruled"), name.digest())
    elif case == "cannot be unpacked":
        damage("codec", "zlib", name.digest())
    with (
        Actor(url, pruning=True) as actor,
        pytest.raises(IntegrityError, match=f"document {name.hexdigest()} "),
    ):
        intended(actor, "due")
    hold(url, "run:keeper")
    assert erase(url) == ExitCode.TAMPERED, "the URL stands in a file that it may quote"
    with log.reader() as reader:
        kinds = {leaf.event.KIND for leaf in reader.leaves()}
    assert not {"prune_intent", "erase", "erase_document"} & kinds
