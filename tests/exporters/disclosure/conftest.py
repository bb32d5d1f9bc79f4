"""A small real log for the disclosure tests: written with LogWriter, decided by the real rules."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
import rfc8785

from blocklists.domain import registrable_domain
from crawler.decisionlog.record import Document, Entry
from crawler.decisionlog.writer import LogWriter
from exporters.disclosure.config import DisclosureConfig
from exporters.disclosure.document import build_disclosure
from exporters.disclosure.figures import Scope
from exporters.disclosure.logview import LogView
from exporters.disclosure.sources import Verification
from policies.basis import encode_basis
from policies.facts import RequestFacts, RobotsAccess, RobotsFile
from policies.rules.robots import judge_robots, read_rules
from policies.vocabulary import (
    Action,
    Assessment,
    Citation,
    Evidence,
    Origin,
    Reason,
    RequestKind,
    Stage,
    Verdict,
)

START_US = 1_780_000_000_000_000  # 2026-05-28T20:26:40Z
HOUR_US = 3_600_000_000

AGENT_TOML = """\
schema = "sekisho.agent/1"
token = "{token}"
version = {version}
effective_from = 2026-01-01
user_agent = "Mozilla/5.0 (compatible; {token}/{version}.0; +https://crawler.kansai-corpus.jp/bot)"
purposes = {purposes}
honours = ["robots-txt", "crawl-delay", "access-restrictions", "login-walls", "paywalls", "legal-blocks", "piracy-lists"]
{extra}
[operator]
name = "Kansai Corpus K.K."
name_ja = "関西コーパス株式会社"
url = "https://kansai-corpus.jp/"
[contact]
info_page = "https://crawler.kansai-corpus.jp/bot"
email = "bot@kansai-corpus.jp"
[collection]
start = 2026-01-01
ongoing = true
[effect_of_blocking]
en = "Nothing of your site is collected for training from the next reading of robots.txt on."
ja = "次に robots.txt を読み取った時点から、貴サイトを学習用に収集しません。"
"""

THIRD_PARTY = """
[[third_party_crawlers]]
name = "Common Crawl"
identifier = "CCBot"
operator = "Common Crawl Foundation"
period = { start = 2026-01-01, end = 2026-03-31 }
domains_index = "https://index.commoncrawl.org/"
"""


def agent_toml(
    token: str = "KansaiBot",
    version: int = 1,
    purposes: str = '["ai-training"]',
    *,
    third_party: bool = False,
) -> bytes:
    text = AGENT_TOML.format(token=token, version=version, purposes=purposes, extra="")
    return (text + (THIRD_PARTY if third_party else "")).encode()


LISTS = rfc8785.dumps(
    {
        "schema": "sekisho.blocklists/1",
        "public_suffix_list": "test",
        "idna": "3",
        "sources": [
            {
                "declared": {"id": "court", "title": "Court orders (invented)", "weight": "court_order",
                             "authority": "Tokyo District Court", "fetched_at": "2026-05-01T00:00:00Z"},
                "sha256": "ab" * 32, "octets": 10, "parser": "plain/1", "entries": 12,
                "duplicates": 0, "rejected": 0, "quarantined": 0,
            }
        ],
    }
)  # fmt: skip

ROBOTS = b"User-agent: *\nDisallow: /private\nAllow: /\n"


class SteppingClock:
    """Time that moves one second a record and starts where the test says."""

    def __init__(self, start_us: int) -> None:
        self.us = start_us

    def now_us(self) -> int:
        self.us += 1_000_000
        return self.us

    def mono_ns(self) -> int:
        return self.us * 1000


def _sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def passed(rule: str) -> Verdict:
    return Verdict(rule=rule, action=Action.FETCH, reason=Reason.ALLOWED)


KEEP = Verdict(rule="paywall", action=Action.KEEP, reason=Reason.KEPT)
KEEP_LOGIN = Verdict(rule="login", action=Action.KEEP, reason=Reason.KEPT)


@dataclass
class Run:
    """One run of one agent, driven by a test."""

    writer: LogWriter
    clock: SteppingClock
    policy: bytes
    lists: bytes
    agent: str
    name: str
    files: dict[Origin, RobotsFile] = field(default_factory=dict)
    closed: bool = False

    def entry(
        self, stage: Stage, verdict: str, reason: Reason | str, documents=(), *, wait=False, **fields
    ) -> int:
        made = Entry(
            stage=stage, verdict=verdict, reason=str(getattr(reason, "value", reason)), agent=self.agent,
            policy_sha256=_sha(self.policy), blocklist_sha256=_sha(self.lists), **fields,
        )  # fmt: skip
        ticket = self.writer.append(made, documents, wait=wait)
        if wait:
            ticket.result(30)
        return ticket.idx  # durable at the latest when the run closes

    def open(self, *, armed: bool = True, user_agent: str | None = None) -> None:
        header = {"schema": "sekisho.run/1", "run": self.name, "agent": self.agent,
                  "user_agent": user_agent or f"Mozilla/5.0 (compatible; {self.agent}/1.0; +https://crawler.kansai-corpus.jp/bot)",
                  "versions": {"sekisho": "0.1.0"}}  # fmt: skip
        body = rfc8785.dumps(header)
        documents = [
            Document(kind="run", body=body),
            Document(kind="policy", body=self.policy),
            Document(kind="blocklist", body=self.lists),
        ]
        self.entry(Stage.RUN, "note", Reason.RUN_OPENED, documents, body_sha256=_sha(body))
        if armed:
            self.entry(Stage.RUN, "note", Reason.GUARD_ARMED)

    def close(self, *, seal: bool = True) -> None:
        if self.closed:
            return
        self.closed = True
        if seal:
            self.entry(Stage.RUN, "note", Reason.RUN_CLOSED)
        self.writer.close(seal=seal)

    def _where(self, url: str, host: str) -> dict:
        return {"method": "GET", "url": url, "host": host, "domain": registrable_domain(host)}

    def robots(self, host: str, body: bytes = ROBOTS, status: int = 200) -> RobotsFile:
        origin = Origin(scheme="https", host=host, port=443)
        url = f"{origin}/robots.txt"
        where = self._where(url, host) | {"kind": RequestKind.ROBOTS}
        basis = encode_basis(
            Assessment(verdicts=(passed("scope"), passed("piracy"), passed("robots"), passed("crawl_delay")))
        )
        asked = self.entry(Stage.REQUEST, "fetch", Reason.ALLOWED, basis=basis, **where)
        self.entry(Stage.OUTCOME, "received", Reason.RECEIVED, ref_idx=asked, status=status, size=len(body),
                   body_sha256=_sha(body), media_type="text/plain", **where)  # fmt: skip
        kept = encode_basis(
            Assessment(verdicts=(Verdict(rule="site_file", action=Action.KEEP, reason=Reason.SITE_FILE),))
        )
        self.entry(Stage.RESPONSE, "keep", Reason.SITE_FILE, [Document(kind="robots", body=body)], basis=kept,
                   ref_idx=asked, status=status, size=len(body), body_sha256=_sha(body), **where)  # fmt: skip
        access = RobotsAccess.RULES if status == 200 else RobotsAccess.UNREACHABLE
        file = RobotsFile(url=url, final_url=url, access=access, status=status, body=body, sha256=_sha(body),
                          fetched_at=self.clock.us, expires_at=self.clock.us + 24 * HOUR_US)  # fmt: skip
        self.files[origin] = file
        return file

    def judge(self, url: str, host: str) -> Verdict:
        origin = Origin(scheme="https", host=host, port=443)
        file = self.files[origin]
        facts = RequestFacts(url=url, method="GET", user_agent="x", kind=RequestKind.PAGE, origin=origin)
        return judge_robots(facts, file, read_rules(file), self.agent)

    def page(
        self,
        url: str,
        host: str,
        *,
        size: int = 1000,
        media_type: str | None = "text/html",
        status: int = 200,
        refuse: Verdict | None = None,
        robots: Verdict | None = None,
        outcome: bool = True,
        force: bool = False,
    ) -> int:
        """Ask for a page: judged by its robots.txt, received, and kept unless `refuse` says otherwise.

        `force` writes a permit although the robots verdict refuses: what must never happen.
        """
        verdict = robots or self.judge(url, host)
        where = self._where(url, host) | {"kind": RequestKind.PAGE}
        basis = encode_basis(
            Assessment(verdicts=(passed("scope"), passed("piracy"), verdict, passed("crawl_delay")))
        )
        if not verdict.action.passes and not force:
            return self.entry(Stage.REQUEST, "skip", verdict.reason, basis=basis, **where)
        asked = self.entry(Stage.REQUEST, "fetch", verdict.reason, basis=basis, **where)
        if not outcome:
            return asked
        self.entry(Stage.OUTCOME, "received", Reason.RECEIVED, ref_idx=asked, status=status, size=size,
                   body_sha256="cd" * 32, media_type=media_type, **where)  # fmt: skip
        after = refuse or KEEP
        kept = after.action is Action.KEEP
        self.entry(Stage.RESPONSE, after.action.value, after.reason, basis=encode_basis(Assessment(verdicts=(after, KEEP_LOGIN))),
                   ref_idx=asked, status=status, size=size if kept else 0, media_type=media_type,
                   body_sha256="cd" * 32 if kept else None, **where)  # fmt: skip
        return asked

    def listed(self, url: str, host: str) -> int:
        citation = Citation(source_id="court", pattern=host, match="subtree", weight="court_order", line=3,
                            text=host, source_sha256="ab" * 32, authority="Tokyo District Court")  # fmt: skip
        refusal = Verdict(rule="piracy", action=Action.SKIP, reason=Reason.PIRACY_LIST,
                          evidence=(Evidence(source="list:court", line=3, text=host, citations=(citation,)),))  # fmt: skip
        basis = encode_basis(Assessment(verdicts=(passed("scope"), refusal)))
        return self.entry(Stage.REQUEST, "skip", Reason.PIRACY_LIST, basis=basis, kind=RequestKind.PAGE,
                          **self._where(url, host))  # fmt: skip


@dataclass
class Book:
    """A log file that tests add runs to."""

    path: Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def run(self, policy: bytes | None = None, *, agent: str = "KansaiBot", lists: bytes = LISTS,
            start_us: int = START_US, name: str = "run-1") -> Run:  # fmt: skip
        clock = SteppingClock(start_us)
        counter = iter(range(1, 1_000_000))
        writer = LogWriter.open(
            self.url, run_id=name, agent=agent, clock=clock,
            entropy=lambda size: hashlib.sha256(f"{name}{next(counter)}".encode()).digest().ljust(size, b"x")[:size],
        )  # fmt: skip
        return Run(
            writer=writer,
            clock=clock,
            policy=policy or agent_toml(agent),
            lists=lists,
            agent=agent,
            name=name,
        )


PAYWALL = Verdict(
    rule="paywall", action=Action.SKIP, reason=Reason.PAYWALL_STRUCTURED_DATA,
    evidence=(Evidence(source="schema.org isAccessibleForFree", text='"isAccessibleForFree": false'),),
)  # fmt: skip
LOGIN = Verdict(
    rule="login", action=Action.SKIP, reason=Reason.LOGIN_REQUIRED, evidence=(Evidence(source="redirect"),)
)
PAID = Verdict(
    rule="access",
    action=Action.SKIP,
    reason=Reason.HTTP_402,
    evidence=(Evidence(source="response status", text="402"),),
)


def fill(run: Run) -> None:
    """A quiet crawl of four hosts: robots, a paywall, a login, a listed domain, images."""
    for host in ("news.example.co.jp", "blog.example.com", "shop.example.com", "media.example.org"):
        run.robots(host)
    for number in range(5):
        run.page(f"https://news.example.co.jp/article/{number}", "news.example.co.jp", size=40_000)
    run.page("https://news.example.co.jp/private/a", "news.example.co.jp")
    run.page("https://news.example.co.jp/premium/1", "news.example.co.jp", refuse=PAYWALL)
    run.page("https://news.example.co.jp/premium/2", "news.example.co.jp", refuse=PAID, status=402)
    run.page("https://blog.example.com/", "blog.example.com", size=9_000)
    run.page("https://shop.example.com/account", "shop.example.com", refuse=LOGIN, status=302)
    run.page("https://media.example.org/a.png", "media.example.org", size=120_000, media_type="image/png")
    run.page("https://media.example.org/raw", "media.example.org", size=5_000, media_type=None)
    run.listed("https://manga.example.net/1", "manga.example.net")


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(path=tmp_path / "log.db")


@pytest.fixture
def quiet(book: Book) -> Book:
    """A log of one orderly run."""
    run = book.run()
    run.open()
    fill(run)
    run.close()
    return book


def disclose(book: Book, agent: str = "KansaiBot", **changes):
    """Compute the disclosure of one agent from a log file."""
    config = changes.pop("config", DisclosureConfig())
    published = changes.pop("published", None)
    sme = changes.pop("sme", False)
    unchecked = Verification(verified=False, records=0, segments=0, problem="not asked")
    verify = changes.pop("verify", True)
    with LogView.open(book.url) as log:
        scope = Scope(
            agent=agent,
            since_us=changes.pop("since_us", None),
            until_us=changes.pop("until_us", log.end_us()),
        )
        return build_disclosure(
            log, scope, segments=log.segments(), verification=log.verify() if verify else unchecked, published=published, config=config,
            generated_us=START_US + 1000 * HOUR_US, sme=sme,
        )  # fmt: skip


@pytest.fixture
def disclosed():
    """The function `disclose`, for tests that cannot import a conftest."""
    return disclose


@pytest.fixture
def kit():
    """What tests build logs with, in one namespace."""
    return SimpleNamespace(
        agent_toml=agent_toml, passed=passed, paywall=PAYWALL, paid=PAID, keep=KEEP, keep_login=KEEP_LOGIN,
        lists=LISTS, start_us=START_US, hour_us=HOUR_US, fill=fill, sha=_sha,
    )  # fmt: skip
