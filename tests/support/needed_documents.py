"""Promises about documents of a pruned run that another run needs, alike for both engines.

`log` is a test's log in either; `url` names it for whoever prunes. A run under way may need what is to go.
"""

from __future__ import annotations

import threading
from hashlib import sha256
from pathlib import Path

from crawler.decisionlog.record import Document
from crawler.decisionlog.retention import prune
from crawler.decisionlog.retention.acts import Actor
from crawler.decisionlog.retention.documents import Needs
from crawler.decisionlog.retention.plan import plan
from crawler.decisionlog.retention.prune import finish, intend
from crawler.decisionlog.retention.schedule import load_schedule
from crawler.decisionlog.verify import verify_log
from policies.basis import encode_basis
from policies.vocabulary import Action, Assessment, Evidence, Reason, Stage, Verdict
from tests.crawler.decisionlog.conftest import LISTS, POLICY, make_entry

SCHEDULE = load_schedule(Path(__file__).resolve().parents[2] / "policies" / "retention.toml")
YEARS_LATER = 1_800_000_000_000_000 + 6 * 366 * 86_400 * 10**6
FILE = Document(kind="robots", body=b"User-agent: *\nDisallow: /closed\n")


def basis_on(document, source="http://a.example/closed"):
    """Return a basis about a page, which quotes a file."""
    quote = Evidence(
        source="http://a.example/robots.txt", line=2, text="Disallow: /closed",
        sha256=sha256(document.body).hexdigest(), fetched_at=7, group="*",
    )  # fmt: skip
    verdicts = (
        Verdict(rule=rule, action=Action.SKIP, reason=Reason.ROBOTS_DISALLOW, evidence=(evidence,))
        for rule, evidence in (("robots", quote), ("links", Evidence(source=source)))
    )
    return encode_basis(Assessment(verdicts=tuple(verdicts)))


BASIS = basis_on(FILE)


def fetched(whole=FILE.body):
    """Return the entry of a robots.txt that was fetched, whose body is a document unless it was cut."""
    about = {
        "url": "http://a.example/robots.txt",
        "body_sha256": sha256(whole).hexdigest(),
        "status": 200,
    }
    return make_entry(stage=Stage.OUTCOME, verdict="received", reason="received", **about)


def due_run(log):
    """Write a run that fetched a file, and skipped a page because of it."""
    writer = log.open(run_id="due", retention="trial")
    writer.append(fetched(), (FILE, POLICY, LISTS))
    writer.append(make_entry(verdict="skip", reason="robots_disallow", basis=BASIS))
    assert writer.close(seal=True) is not None


def intended(actor, run):
    """Announce that a run will be pruned; return it."""
    item = next(one for one in plan(actor.connection, SCHEDULE, now_us=YEARS_LATER) if one.run == run)
    intend(actor, item, who="tests", manifest=None, now_us=YEARS_LATER)
    return item


def pruned(url, run):
    with Actor(url, pruning=True) as actor:
        finish(actor, intended(actor, run), now_us=YEARS_LATER)


def there(log):
    """Return whether basis and file are in the log; assert that it verifies."""
    with log.reader() as reader:
        assert verify_log(reader).findings == ()
        return tuple(reader.document(sha256(body).hexdigest()) is not None for body in (BASIS, FILE.body))


def decide(writer):
    return writer.append(make_entry(verdict="skip", reason="robots_disallow", basis=BASIS), wait=True)


def needed_by_whom(log, url, monkeypatch, moment):
    """A run under way decides by a basis at some moment of the pruning of the run that stored it."""
    due_run(log)
    writer = log.open(run_id="living")
    writer.append(make_entry(), wait=True).result(30)
    if moment == "before":
        decide(writer).result(30)
    real, calls = Needs.catch_up, []

    def catch_up(needs):
        real(needs)
        calls.append(needs)
        if moment == {1: "while it is planned", 3: "after it was looked for"}.get(len(calls)):
            decide(writer).result(30)

    monkeypatch.setattr(Needs, "catch_up", catch_up)
    with Actor(url, pruning=True) as actor:
        item = intended(actor, "due")
        if moment == "after the announcement":
            decide(writer).result(30)
        finish(actor, item, now_us=YEARS_LATER)
    assert len(calls) >= 3
    assert there(log) == (True, True)
    assert writer.close(seal=True) is not None
    assert there(log) == (True, True)


def appended_but_not_committed(log, url):
    """A run under way has named the basis, and its commit is slow: the pruning waits for it."""
    due_run(log)
    writer = log.open(run_id="living")
    writer.append(make_entry(), wait=True).result(30)
    reached, go = threading.Event(), threading.Event()
    real = writer._store._documents.store

    def slow(batch):
        erased = real(batch)
        reached.set()
        assert go.wait(30)
        return erased

    with Actor(url, pruning=True) as actor:
        item = intended(actor, "due")
        delete = prune._delete_documents

        def beside(*given):
            writer._store._documents.store = slow
            ticket = decide(writer)
            assert reached.wait(30)
            timer = threading.Timer(0.5, go.set)
            timer.start()
            delete(*given)
            assert ticket.result(30).idx == 1
            timer.join()

        prune._delete_documents = beside
        try:
            finish(actor, item, now_us=YEARS_LATER)
        finally:
            prune._delete_documents = delete
    assert there(log) == (True, True)
    assert writer.close(seal=True) is not None


def stored_again(log, url):
    """What went with one run and was stored again by another goes with that one."""
    due_run(log)
    writer = log.open(run_id="living", retention="trial")
    writer.append(make_entry(), wait=True).result(30)
    pruned(url, "due")
    assert there(log) == (False, False)
    writer.append(fetched(), (FILE,))
    decide(writer).result(30)
    assert there(log) == (True, True)
    assert writer.close(seal=True) is not None
    pruned(url, "living")
    assert there(log) == (False, False)


def fetched_and_not_yet_quoted(log, url):
    """A run under way fetched the same file, and quotes it only after the other run was pruned."""
    due_run(log)
    writer = log.open(run_id="living")
    writer.append(fetched(), (FILE,), wait=True).result(30)
    pruned(url, "due")
    assert there(log) == (False, True)
    decide(writer).result(30)
    assert there(log) == (True, True)
    assert writer.close(seal=True) is not None
