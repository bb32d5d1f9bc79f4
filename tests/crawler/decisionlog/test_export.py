"""One decision a line, with its evidence, safe wherever it is opened."""

from __future__ import annotations

import csv
import io
import json
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.errors import UsageError
from crawler.decisionlog.export import COLUMNS, Exporter, evidence_members, rfc3339
from crawler.decisionlog.selection import Selection, parse_time
from policies.basis import encode_basis
from policies.spreadsheet import BOM
from policies.vocabulary import Action, Assessment, Citation, Evidence, Reason, Stage, Verdict


def jsonl(log, selection=None):
    with log.reader() as reader:
        lines = list(Exporter(reader).jsonl((selection or Selection()).records(reader)))
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)
    return [json.loads(line) for line in lines]


def as_csv(log):
    with log.reader() as reader:
        text = "".join(Exporter(reader).csv(Selection().records(reader)))
    assert text.startswith(BOM)
    return list(csv.DictReader(io.StringIO(text.removeprefix(BOM), newline="")))


def test_times_are_rfc_3339_with_microseconds():
    assert rfc3339(0) == "1970-01-01T00:00:00.000000Z"
    assert rfc3339(1_795_305_386_024_771) == "2026-11-21T23:56:26.024771Z"
    assert rfc3339(-1) == "1969-12-31T23:59:59.999999Z"


@given(st.integers(-(10**15), 4 * 10**15))
def test_a_time_written_is_the_time_read(us):
    assert parse_time(rfc3339(us), end=False) == us


def test_a_line_has_everything_that_is_promised(log, documents):
    log.write()
    line = jsonl(log)[0]
    assert set(line) >= {
        "ts", "run", "segment", "idx", "stage", "verdict", "reason", "method", "url", "host", "domain", "agent",
        "parent_url", "status", "evidence", "policy_sha256", "blocklist_sha256", "basis_sha256", "leaf_hash",
    }  # fmt: skip
    assert line["idx"] == 1, "records about the run are left out"
    assert line["policy_sha256"] == sha256(documents["policy"].body).hexdigest()
    assert line["evidence"] == {
        "source": "http://a.example/robots.txt", "line": 2, "text": "Disallow: /private",
        "sha256": sha256(documents["robots"].body).hexdigest(), "fetched_at": "2027-01-15T08:00:00.000000Z",
        "group": "*", "reader": "sekisho", "note": "decision 0", "citations": [], "rule": "robots", "also": [],
        "rules": [
            {"rule": "scope", "action": "fetch", "reason": "allowed"},
            {"rule": "robots", "action": "skip", "reason": "robots_disallow"},
        ],
    }  # fmt: skip
    assert jsonl(log)[1]["evidence"] is None, "an outcome was decided by nobody"


def test_every_evidence_and_citation_of_the_deciding_verdict_is_there():
    citation = Citation(
        source_id="courts", pattern="bad.example", match="suffix", weight="court", line=7, text="bad.example",
        source_sha256="ab" * 32, authority="District Court", fetched_at=0,
    )  # fmt: skip
    deciding = Verdict(
        rule="piracy",
        action=Action.SKIP,
        reason=Reason.PIRACY_LIST,
        evidence=(Evidence(source="list:courts", citations=(citation,)), Evidence(source="second")),
    )
    members = evidence_members(Assessment(verdicts=(deciding,)))
    assert members["citations"][0]["authority"] == "District Court"
    assert members["citations"][0]["fetched_at"] == "1970-01-01T00:00:00.000000Z"
    assert [other["source"] for other in members["also"]] == ["second"]
    bare = evidence_members(
        Assessment(verdicts=(Verdict(rule="scope", action=Action.FETCH, reason=Reason.ALLOWED),))
    )
    assert set(bare) == set(members), "the shape does not depend on the content"


HOSTILE = (
    "=1+1",
    "\uff1d1+1",
    "\n=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\x00x",
    '="a"',
    "a,b",
    'quote"quote',
    "two\r\nlines",
    "日本語",
)


def test_hostile_texts_survive_json_and_cannot_be_formulas_in_csv(log, entry):
    writer = log.open()
    for text in HOSTILE:
        writer.append(entry(url=text, error=text, host=text))
    writer.close(seal=True)
    assert [line["url"] for line in jsonl(log)] == list(HOSTILE)
    rows = as_csv(log)
    assert list(rows[0]) == list(COLUMNS)
    for row, text in zip(rows, HOSTILE, strict=True):
        harmless = f"'{text}" if text[0] in "=+-@\t\r\n\x00\uff1d" else text
        assert row["url"] == row["error"] == row["host"] == harmless


def test_csv_flattens_evidence_rules_and_citations(log):
    log.write()
    row = as_csv(log)[0]
    assert row["evidence_source"] == "http://a.example/robots.txt"
    assert row["evidence_line"] == "2"
    assert row["rules"] == "scope fetch allowed; robots skip robots_disallow"
    assert row["status"] == ""


def test_a_decision_that_lost_its_basis_is_exported_and_counted(log):
    log.write()
    log.unguarded().execute("DELETE FROM document WHERE kind = 'basis'")
    with log.reader() as reader:
        exporter = Exporter(reader)
        lines = [json.loads(line) for line in exporter.jsonl(Selection().records(reader))]
    assert len(lines) == 9
    assert all(line["evidence"] is None for line in lines)
    assert exporter.missing == 6


@pytest.fixture
def busy(log, entry):
    """Six decisions a day apart: three hosts, two agents, two runs."""
    day = 86_400_000_000
    for run, agent in (("run-1", "OneBot"), ("run-2", "TwoBot")):
        writer = log.open(run_id=run, agent=agent)
        for host in ("a.example", "sub.a.example", "ba.example"):
            writer.append(
                entry(host=host, agent=agent, verdict="skip" if host == "ba.example" else "fetch",
                      reason="piracy_list" if host == "ba.example" else "allowed", basis=encode_basis(Assessment(
                          verdicts=(Verdict(rule="scope", action=Action.FETCH, reason=Reason.ALLOWED),)))),
                wait=True,
            ).result(10)  # fmt: skip
            log.clock.now += day
        writer.close(seal=True)
    return log


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"hosts": ("a.example",)}, [0, 1, 3, 4]),
        ({"hosts": ("sub.a.example", "ba.example")}, [1, 2, 4, 5]),
        ({"hosts": ("_.example",)}, []),
        ({"runs": ("run-2",)}, [3, 4, 5]),
        ({"agents": ("OneBot",)}, [0, 1, 2]),
        ({"verdicts": ("skip",)}, [2, 5]),
        ({"reasons": ("piracy_list",), "runs": ("run-1",)}, [2]),
        ({"stages": (Stage.RESPONSE,)}, []),
        ({"since": 1_800_000_000_000_000 + 86_400_000_000}, [1, 2, 3, 4, 5]),
        ({"until": 1_800_000_000_000_000 + 86_400_000_000}, [0]),
    ],
    ids=str,
)
def test_a_selection_selects(busy, selection, expected):
    lines = jsonl(busy, Selection(**selection))
    assert [line["idx"] + (3 if line["run"] == "run-2" else 0) for line in lines] == expected


def test_an_unknown_run_is_an_error_with_a_hint(busy):
    with busy.reader() as reader, pytest.raises(UsageError, match=r"did you mean 'run-[12]'"):
        list(Selection(runs=("run-",)).records(reader))


@pytest.mark.parametrize(
    ("text", "end", "us"),
    [
        ("1970-01-02", False, 86_400_000_000), ("1970-01-02", True, 2 * 86_400_000_000),
        ("1970-01-01T00:00:01Z", True, 1_000_000), ("1970-01-01T09:00:00+09:00", False, 0), ("1970-01-01T00:00", False, 0),
    ],
)  # fmt: skip
def test_dates_and_times_are_utc_and_an_end_date_is_included(text, end, us):
    assert parse_time(text, end=end) == us


@pytest.mark.parametrize("text", ["yesterday", "", "2026-13-01", "1.5"])
def test_what_is_no_time_is_an_error(text):
    with pytest.raises(UsageError, match="is no date or time"):
        parse_time(text, end=False)
