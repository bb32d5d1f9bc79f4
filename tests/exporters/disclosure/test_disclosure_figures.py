"""Every number of a disclosure has a query that gives it again, to anybody, with any SQLite."""

from __future__ import annotations

import math
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.disclosure import queries
from exporters.disclosure.document import EmptyLogError
from exporters.disclosure.families import FAMILIES, Family, family_of
from exporters.disclosure.figures import Figure, Scope, ask
from policies.vocabulary import Reason

VIEW_COLUMNS = (
    "segment, idx, run, ts_us, stage, verdict, reason, kind, method, url, parent_url, host, domain, agent, status, "
    "size, body_sha256, media_type, error, ref_idx, attempt, policy_sha256, blocklist_sha256, basis_sha256"
)


class Plain:
    """The view `decisions` as a table in memory: all that the queries may rely on."""

    def __init__(self) -> None:
        self.base = sqlite3.connect(":memory:")
        self.base.execute(f"CREATE TABLE decisions ({VIEW_COLUMNS})")
        self.rows = 0

    def keep(
        self,
        domain: str | None,
        size: int | None,
        host: str = "h.example",
        media_type: str | None = "text/html",
    ) -> None:
        self.rows += 1
        self.base.execute(
            "INSERT INTO decisions (segment, idx, ts_us, stage, verdict, reason, kind, agent, domain, host, size, media_type)"
            " VALUES ('s', ?, ?, 'response', 'keep', 'kept', 'page', 'Bot', ?, ?, ?, ?)",
            (self.rows, self.rows, domain, host, size, media_type),
        )

    def query(self, sql, params=()):
        return self.base.execute(sql, tuple(params)).fetchall()

    def document(self, sha256):
        return None


def test_every_printed_query_gives_the_printed_rows_in_plain_sqlite(book, kit, disclosed):
    run = book.run()
    run.open()
    kit.fill(run)
    run.page("https://news.example.co.jp/private/it's", "news.example.co.jp", force=True)
    run.close()
    other = book.run(
        kit.agent_toml(version=2, purposes='["ai-training", "search"]'),
        name="run-2",
        start_us=kit.start_us + 500 * kit.hour_us,
    )
    other.open()
    kit.fill(other)
    other.close(seal=False)
    document = disclosed(book, published=frozenset({"00" * 32}))
    base = sqlite3.connect(book.path)
    assert len(document.all_figures) > 60
    for figure in document.all_figures:
        assert tuple(base.execute(figure.statement).fetchall()) == figure.rows, figure.id
        assert all(len(row) == len(figure.columns) for row in figure.rows), figure.id


def test_figures_count_what_happened(quiet, disclosed):
    figures = disclosed(quiet).figures
    expected = {
        "decided": 13, "refused": 2, "permitted": 11, "received": 11, "failed": 0, "kept": 8, "discarded": 3,
        "hosts": 4, "domain_count": 3, "bytes_kept": 334_000, "robots_hosts": 4, "unfinished": 0,
        "refused.robots": 1, "refused.paywall": 2, "refused.access": 1, "refused.piracy": 1,
    }  # fmt: skip
    assert {name: figures[name].number for name in expected} == expected
    assert figures["top_domains"].rows == (("example.co.jp", 5, 200_000, 5988),)
    assert {row[0]: row[1] for row in figures["modalities"].rows} == {"text": 6, "image": 1, "undeclared": 1}
    assert {(row[0], row[1]): row[2] for row in figures["families"].rows} == {
        ("access", "response"): 1, ("paywall", "response"): 2, ("piracy", "request"): 1, ("robots", "request"): 1,
    }  # fmt: skip


def test_robots_txt_itself_is_never_counted_as_a_page(quiet, disclosed):
    document = disclosed(quiet)
    assert document.figures["robots_files"].rows[0][:4] == ("received", 200, 4, 4)
    assert document.figures["kept"].number == 8


def test_time_bounds_leave_out_what_lies_outside(book, kit, disclosed):
    for number in range(2):
        run = book.run(name=f"run-{number}", start_us=kit.start_us + number * 1000 * kit.hour_us)
        run.open()
        kit.fill(run)
        run.close()
    middle = kit.start_us + 500 * kit.hour_us
    assert disclosed(book).figures["kept"].number == 16
    assert disclosed(book, since_us=middle).figures["kept"].number == 8
    assert disclosed(book, until_us=middle).figures["kept"].number == 8
    assert len(disclosed(book, since_us=middle).segments) == 1


def test_a_log_that_grows_gives_the_same_numbers_for_the_same_bound(quiet, kit, disclosed):
    before = disclosed(quiet)
    run = quiet.run(name="later", start_us=kit.start_us + 9 * kit.hour_us)
    run.open()
    kit.fill(run)
    run.close()
    after = disclosed(quiet, until_us=before.scope.until_us)
    assert after.figures == before.figures


def test_an_empty_scope_is_refused_not_published_as_zeros(quiet, disclosed):
    with pytest.raises(EmptyLogError, match="nothing to disclose"):
        disclosed(quiet, agent="NobodyBot")
    with pytest.raises(EmptyLogError, match="nothing to disclose"):
        disclosed(quiet, until_us=5)


def test_purposes_are_those_in_force_at_each_fetch(book, kit, disclosed):
    for number, purposes in enumerate(('["ai-training"]', '["search", "archive"]'), 1):
        run = book.run(kit.agent_toml(version=number, purposes=purposes), name=f"run-{number}",
                       start_us=kit.start_us + number * 100 * kit.hour_us)  # fmt: skip
        run.open()
        kit.fill(run)
        run.close()
    facts = disclosed(book).facts
    assert facts["purposes"].rows == (("purpose.ai-training",), ("purpose.search",), ("purpose.archive",))
    assert dict(facts["purpose_permits"].rows) == {
        "purpose.ai-training": 11, "purpose.search": 11, "purpose.archive": 11,
    }  # fmt: skip
    assert len(facts["user_agents"].rows) == 2


@given(sizes=st.lists(st.integers(min_value=0, max_value=10**9), min_size=1, max_size=80))
def test_the_domain_list_is_the_top_tenth_by_bytes_rounded_up(sizes):
    log = Plain()
    for number, size in enumerate(sizes):
        log.keep(f"d{number:03}.example", size)
    scope = Scope(agent="Bot")
    top = ask(log, queries.TOP_DOMAINS, scope)
    ranked = sorted(((-size, f"d{number:03}.example") for number, size in enumerate(sizes)))
    assert [row[0] for row in top.rows] == [name for _, name in ranked[: math.ceil(len(sizes) / 10)]]
    small = ask(log, queries.TOP_DOMAINS_SME, scope)
    assert len(small.rows) == min(math.ceil(len(sizes) / 20), 1000)
    total = sum(sizes)
    for _, pages, octets, share in top.rows:
        assert pages == 1
        assert share is None if total == 0 else abs(share - 10_000 * octets / total) <= 0.5


def test_the_list_for_smes_ends_at_a_thousand_names():
    log = Plain()
    for number in range(25_000):
        log.keep(f"d{number}.example", number)
    assert len(ask(log, queries.TOP_DOMAINS_SME, Scope(agent="Bot")).rows) == 1000
    assert len(ask(log, queries.TOP_DOMAINS, Scope(agent="Bot")).rows) == 2500


def test_a_host_without_a_registrable_domain_stands_for_itself():
    log = Plain()
    log.keep(None, 10, host="192.0.2.7")
    log.keep("", 20, host="intranet")
    log.keep("example.com", 5)
    assert {row[0] for row in ask(log, queries.TOP_DOMAINS, Scope(agent="Bot")).rows} == {"intranet"}
    assert ask(log, queries.DOMAIN_COUNT, Scope(agent="Bot")).number == 3


def test_pages_without_a_size_are_counted_and_said_to_be_missing(book, kit, disclosed):
    run = book.run()
    run.open()
    kit.fill(run)
    run.page("https://blog.example.com/chunked", "blog.example.com", size=None)
    run.page("https://blog.example.com/killed", "blog.example.com", outcome=False)
    run.close(seal=False)
    document = disclosed(book)
    why = {missing.why: missing.count for missing in document.missing}
    assert why["kept_without_size"] == 1
    assert why["unfinished"] == 1
    assert "unsealed" in why


def test_every_reason_that_refuses_has_a_family_or_is_named_other():
    listed = [reason for reasons in FAMILIES.values() for reason in reasons]
    assert len(listed) == len(set(listed))
    other = {reason for reason in Reason if family_of(reason.value) is Family.OTHER}
    assert other == {
        Reason.ALLOWED, Reason.NOT_APPLICABLE, Reason.KEPT, Reason.POLICY_SCOPE, Reason.UNPARSABLE_URL,
        Reason.URL_LENGTH, Reason.OFFSITE, Reason.DUPLICATE, Reason.DEPTH_LIMIT, Reason.RATE_LIMITED,
        Reason.REFUSED_BY_SPIDER, Reason.NO_PERMIT, Reason.LOG_UNAVAILABLE, Reason.HTTP_ERROR, Reason.REDIRECT,
        Reason.SITE_FILE, Reason.RECEIVED, Reason.ERROR_NETWORK, Reason.ERROR_INTERNAL, Reason.RUN_OPENED,
        Reason.RUN_CLOSED, Reason.GUARD_ARMED, Reason.VISIT_TIME, Reason.WAIVER_USED, Reason.WITHDRAWN,
        Reason.JUDGED_ONLY, Reason.UNGOVERNED, Reason.RENDER_LIMIT, Reason.RENDER_FAILED,
        Reason.LIST_FILE, Reason.LIST_REFRESHED, Reason.LIST_UNCHANGED, Reason.LIST_HELD, Reason.LIST_FAILED,
        Reason.LISTS_CHANGED, Reason.LISTS_KEPT, Reason.TRIPWIRE, Reason.NOT_SENT,
    }, "a new reason code needs a family, or a place in this list"  # fmt: skip


PRINTABLE = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=40)


@given(text=PRINTABLE, number=st.integers(-(2**63) + 1, 2**63 - 1))
def test_a_printed_statement_means_its_parameters_whatever_they_hold(text, number):
    figure = Figure(id="x", columns=("a", "b"), rows=(), sql="SELECT ?, ?", params=(text, number))
    assert sqlite3.connect(":memory:").execute(figure.statement).fetchall() == [(text, number)]
