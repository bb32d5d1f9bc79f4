"""A clock that the test owns, entries that need no thought, and logs to break."""

from __future__ import annotations

import shutil
import sqlite3
from hashlib import sha256

import pytest

from crawler.decisionlog import schema
from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.record import Document, Entry
from crawler.decisionlog.writer import LogWriter
from policies.basis import encode_basis
from policies.vocabulary import Action, Assessment, Evidence, Reason, RequestKind, Stage, Verdict

ROBOTS = Document(kind="robots", body=b"User-agent: *\nDisallow: /private\n" * 60)
POLICY = Document(kind="policy", body=b'token = "ExampleBot"\n')
LISTS = Document(kind="blocklist", body=b'{"lists":[]}')
RUN = Document(kind="run", body=b'{"run":"run-1"}')
EPOCH_US = 1_800_000_000_000_000


class Clock:
    """Advances by 1 ms a reading of the wall clock; `now` may be set back."""

    def __init__(self, now=EPOCH_US):
        self.now = now
        self.ns = 7

    def now_us(self):
        self.now += 1000
        return self.now

    def mono_ns(self):
        self.ns += 1_000_000
        return self.ns


def digest_of(document):
    return sha256(document.body).hexdigest()


def basis_for(number):
    evidence = Evidence(
        source="http://a.example/robots.txt", line=2, text="Disallow: /private", sha256=digest_of(ROBOTS),
        fetched_at=EPOCH_US, group="*", note=f"decision {number}",
    )  # fmt: skip
    skip = Verdict(rule="robots", action=Action.SKIP, reason=Reason.ROBOTS_DISALLOW, evidence=(evidence,))
    allowed = Verdict(rule="scope", action=Action.FETCH, reason=Reason.ALLOWED)
    return encode_basis(Assessment(verdicts=(allowed, skip)))


def make_entry(**fields):
    given = {
        "stage": Stage.REQUEST,
        "verdict": "fetch",
        "reason": "allowed",
        "agent": "ExampleBot",
        "policy_sha256": digest_of(POLICY),
        "blocklist_sha256": digest_of(LISTS),
        "kind": RequestKind.PAGE,
        "method": "GET",
        "url": "http://a.example/page",
        "host": "a.example",
        "domain": "a.example",
    }
    return Entry(**given | fields)


def write_sample(writer):
    """Append a small run in which every column of every table is used. Ten records, 0 to 9."""
    note = make_entry(
        stage=Stage.RUN, verdict="note", reason="run_opened", kind=None, method="", url=None, host=None,
        domain=None, body_sha256=digest_of(RUN),
    )  # fmt: skip
    writer.append(note, (RUN, POLICY, LISTS))
    for page in range(3):
        url = f"http://a.example/page/{page}"
        parent = "http://a.example/" if page else None
        about = {"url": url, "parent_url": parent}
        asked = writer.append(make_entry(**about, basis=basis_for(page % 2)), (ROBOTS,))
        writer.append(
            make_entry(
                **about,
                stage=Stage.OUTCOME,
                verdict="received",
                reason="received",
                ref_idx=asked.idx,
                attempt=page,
                status=200,
                size=1000 + page,
                body_sha256=sha256(b"%d" % page).hexdigest(),
                media_type="text/html",
                error="cut short" if page == 2 else None,
            )
        )
        writer.append(
            make_entry(
                **about,
                stage=Stage.RESPONSE,
                verdict="keep",
                reason="kept",
                ref_idx=asked.idx,
                status=200,
                size=900,
                media_type="text/html",
                basis=basis_for(7),
            )
        )


class Log:
    """One log in a folder of its own."""

    def __init__(self, folder):
        self.path = folder / "sekisho.db"
        self.url = f"sqlite:///{self.path}"
        self.clock = Clock()

    def open(self, **options):
        return LogWriter.open(
            self.url, **{"run_id": "run-1", "agent": "ExampleBot", "clock": self.clock} | options
        )

    def write(self, *, seal=True, **options):
        writer = self.open(**options)
        write_sample(writer)
        head = writer.close(seal=seal)
        assert writer.failed is None
        return head

    def reader(self):
        return LogReader.open(self.url)

    def raw(self):
        """Connect as somebody who owns the file would, without waiting for the disk."""
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    def unguarded(self):
        """Connect and drop every trigger."""
        connection = self.raw()
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        return connection

    def of_format_1(self):
        """Take everything away that format 2 has beside format 1, and the guards; return the connection."""
        connection = self.unguarded()
        for table in schema.SINCE_2:
            connection.execute(f"DROP TABLE IF EXISTS {table.name}")
        connection.execute("UPDATE meta SET value = 'sekisho.log/1' WHERE key = 'format'")
        return connection

    def copied(self, folder):
        """Return the log copied into a folder, later by a while; with its key and last checkpoint."""
        shutil.copytree(self.path.parent, folder)
        log = type(self)(folder)
        log.clock.now = self.clock.now + 10**9
        return log


@pytest.fixture
def log(tmp_path):
    return Log(tmp_path)


@pytest.fixture
def write_into():
    return write_sample


@pytest.fixture
def entry():
    return make_entry


@pytest.fixture
def documents():
    return {"robots": ROBOTS, "policy": POLICY, "blocklist": LISTS, "run": RUN}
